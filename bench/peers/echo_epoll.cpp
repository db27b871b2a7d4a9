// SPDX-License-Identifier: MIT
// The echo server on epoll with nothing in between, level-triggered. What Weft's own is held against (bench/echo_peers.py).
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "examples/thread_server.hpp"

namespace {

struct connection {
  int fd = -1;
  std::size_t pending = 0;
  std::size_t sent = 0;
  char buffer[1024];
};

void watch(int epoll, int operation, connection* c, std::uint32_t events) {
  epoll_event e{};
  e.events = events;
  e.data.ptr = c;
  epoll_ctl(epoll, operation, c->fd, &e);
}

void end(connection* c) {
  close(c->fd);
  delete c;
}

// False when a signal has shut the listener down.
bool accept_all(int epoll, int listener) {
  for (int fd; (fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    auto* c = new connection;
    c->fd = fd;
    watch(epoll, EPOLL_CTL_ADD, c, EPOLLIN);
  }
  return errno != EINVAL;
}

void serve(int epoll, connection* c, std::uint32_t events) {
  const bool was_writing = (events & EPOLLOUT) != 0;
  if (!was_writing) {
    const ssize_t n = recv(c->fd, c->buffer, sizeof c->buffer, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return end(c);
    c->pending = static_cast<std::size_t>(n);
    c->sent = 0;
  }
  while (c->sent < c->pending) {
    const ssize_t n = send(c->fd, c->buffer + c->sent, c->pending - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return end(c);
    if (n < 0) {
      if (!was_writing) watch(epoll, EPOLL_CTL_MOD, c, EPOLLOUT);
      return;
    }
    c->sent += static_cast<std::size_t>(n);
  }
  if (was_writing) watch(epoll, EPOLL_CTL_MOD, c, EPOLLIN);
}

}  // namespace

int main() {
  connection listening;
  listening.fd = example::start_listening(0, SOCK_NONBLOCK);
  if (listening.fd < 0) return 1;
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, EPOLL_CTL_ADD, &listening, EPOLLIN);
  for (;;) {
    epoll_event events[256];
    const int n = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < n; ++i) {
      auto* c = static_cast<connection*>(events[i].data.ptr);
      if (c == &listening) {
        if (!accept_all(epoll, c->fd)) return 0;
      } else {
        serve(epoll, c, events[i].events);
      }
    }
  }
}
