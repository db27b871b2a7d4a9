// SPDX-License-Identifier: MIT
#include "thread_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <thread>

namespace example {
namespace {

constexpr int backlog = 16384;
constexpr auto back_off = std::chrono::milliseconds(10);

int listener = -1;

// shutdown() is async-signal-safe, and accept() then fails at once with EINVAL: a flag alone would be missed
// by a signal that comes between the test of the flag and the call.
void stop(int) {
  const int saved = errno;
  shutdown(listener, SHUT_RDWR);
  errno = saved;
}

void stop_on_signals() {
  struct sigaction action = {};
  action.sa_handler = stop;
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
}

void raise_open_files() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

// The port that is listened on, or -1 with errno.
int open_listener(int port, int socket_flags) {
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | socket_flags, 0);
  if (listener < 0) return -1;
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted sockets inherit it
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<in_port_t>(port));
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  if (bind(listener, generic, length) != 0 || listen(listener, backlog) != 0 ||
      getsockname(listener, generic, &length) != 0) {
    return -1;
  }
  return ntohs(address.sin_port);
}

void run_connection(int socket, connection_handler handler) {
  handler(socket);
  close(socket);
}

}  // namespace

bool passing_accept_error(int error) {
  return error == EINTR || error == ECONNABORTED || error == EMFILE || error == ENFILE || error == ENOBUFS ||
         error == ENOMEM;
}

int start_listening(int port, int socket_flags) {
  raise_open_files();
  const int bound = open_listener(port, socket_flags);
  if (bound < 0) {
    std::fprintf(stderr, "cannot listen on port %d: %s\n", port, std::strerror(errno));
    return -1;
  }
  stop_on_signals();
  std::printf("listening on %d\n", bound);
  std::fflush(stdout);
  return listener;
}

int serve(int port, connection_handler handler) {
  if (start_listening(port) < 0) return 1;
  for (;;) {
    const int socket = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) {
      if (errno == EINVAL) return 0;  // stop() was here
      if (!passing_accept_error(errno)) {
        std::perror("accept");
        return 1;
      }
      if (errno != EINTR && errno != ECONNABORTED) std::this_thread::sleep_for(back_off);
      continue;
    }
    try {
      std::thread(run_connection, socket, handler).detach();
    } catch (const std::system_error& error) {
      std::fprintf(stderr, "no thread for a connection: %s\n", error.what());
      close(socket);
      std::this_thread::sleep_for(back_off);
    }
  }
}

int port_argument(int argc, char** argv) {
  if (argc == 1) return 0;
  char* end = nullptr;
  const long port = std::strtol(argv[1], &end, 10);
  if (argc > 2 || end == argv[1] || *end != '\0' || port < 0 || port > 65535) {
    std::fprintf(stderr, "usage: %s [PORT]   (0 or none: a free one, which is printed)\n", argv[0]);
    std::exit(2);
  }
  return static_cast<int>(port);
}

bool send_all(int socket, const char* data, unsigned long size) {
  while (size > 0) {
    const ssize_t sent = send(socket, data, size, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    data += sent;
    size -= static_cast<unsigned long>(sent);
  }
  return true;
}

}  // namespace example
