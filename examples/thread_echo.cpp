// SPDX-License-Identifier: MIT
// An echo server with one blocking thread per connection.
//   thread_echo [PORT]
#include <sys/socket.h>
#include <sys/types.h>

#include <cerrno>

#include "thread_server.hpp"

namespace {

void echo(int socket) {
  char buffer[1024];
  for (;;) {
    const ssize_t received = recv(socket, buffer, sizeof buffer, 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) return;
    if (!example::send_all(socket, buffer, static_cast<unsigned long>(received))) return;
  }
}

}  // namespace

int main(int argc, char** argv) { return example::serve(example::port_argument(argc, argv), echo); }
