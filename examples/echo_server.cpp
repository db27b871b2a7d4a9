// SPDX-License-Identifier: MIT
// The echo server again, on the library's fibers: one fiber per connection, one OS thread in all.
//   echo_server [PORT]
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <weft/weft.hpp>

#include "thread_server.hpp"

namespace {

using namespace std::chrono_literals;

bool send_all(int socket, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t sent = send(socket, data, size, MSG_NOSIGNAL);
    if (sent >= 0) {
      data += sent;
      size -= static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN) {
      weft::wait_writable(socket);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

void echo(int socket) {
  char buffer[1024];
  for (;;) {
    const ssize_t received = recv(socket, buffer, sizeof buffer, 0);
    if (received > 0) {
      if (!send_all(socket, buffer, static_cast<std::size_t>(received))) break;
      // All that had come was taken: waiting at once saves a call that would fail.
      if (static_cast<std::size_t>(received) < sizeof buffer) weft::wait_readable(socket);
    } else if (received < 0 && errno == EAGAIN) {
      weft::wait_readable(socket);
    } else if (received == 0 || errno != EINTR) {
      break;
    }
  }
  weft::close(socket);
}

}  // namespace

int main(int argc, char** argv) {
  const int listener = example::start_listening(example::port_argument(argc, argv), SOCK_NONBLOCK);
  if (listener < 0) return 1;
  for (;;) {
    const int socket = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket >= 0) {
      weft::spawn(echo, socket);
    } else if (errno == EAGAIN) {
      weft::wait_readable(listener);
    } else if (errno == EINVAL) {
      return 0;  // a signal has shut it down
    } else if (!example::passing_accept_error(errno)) {
      std::perror("accept");
      return 1;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      weft::this_fiber::sleep_for(10ms);
    }
  }
}
