// SPDX-License-Identifier: MIT
// The echo server on State Threads: a thread of libst for each connection, as fibers have it.
#include <st.h>

#include <cstdlib>

#include "examples/thread_server.hpp"

namespace {

void* serve(void* argument) {
  auto* const socket = static_cast<st_netfd_t>(argument);
  char buffer[1024];
  for (;;) {
    const ssize_t n = st_read(socket, buffer, sizeof buffer, ST_UTIME_NO_TIMEOUT);
    if (n <= 0 || st_write(socket, buffer, static_cast<std::size_t>(n), ST_UTIME_NO_TIMEOUT) != n) break;
  }
  st_netfd_close(socket);
  return nullptr;
}

}  // namespace

int main() {
  st_set_eventsys(ST_EVENTSYS_ALT);  // epoll
  if (st_init() != 0) return EXIT_FAILURE;
  const int fd = example::start_listening(0);
  if (fd < 0) return EXIT_FAILURE;
  auto* const listener = st_netfd_open_socket(fd);
  for (;;) {
    auto* const socket = st_accept(listener, nullptr, nullptr, ST_UTIME_NO_TIMEOUT);
    if (socket == nullptr && !example::passing_accept_error(errno)) break;  // a signal has shut the listener down
    constexpr int stack_size = 64 * 1024;
    if (socket != nullptr && st_thread_create(serve, socket, 0, stack_size) == nullptr) st_netfd_close(socket);
  }
}
