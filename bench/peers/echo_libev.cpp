// SPDX-License-Identifier: MIT
// The echo server as one writes it by hand with libev: a callback for each connection, no fiber. What Weft's own is held
// against (bench/echo_peers.py).
#include <ev.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "examples/thread_server.hpp"

namespace {

struct connection {
  ev_io io;  // first: libev hands out its address
  std::size_t pending = 0;
  std::size_t sent = 0;
  char buffer[1024];
};

void end(struct ev_loop* loop, connection* c) {
  ev_io_stop(loop, &c->io);
  close(c->io.fd);
  delete c;
}

void on_event(struct ev_loop* loop, ev_io* io, int events) {
  auto* c = reinterpret_cast<connection*>(io);
  if ((events & EV_READ) != 0) {
    const ssize_t n = recv(io->fd, c->buffer, sizeof c->buffer, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return end(loop, c);
    c->pending = static_cast<std::size_t>(n);
    c->sent = 0;
  }
  while (c->sent < c->pending) {
    const ssize_t n = send(io->fd, c->buffer + c->sent, c->pending - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return end(loop, c);
    if (n < 0) {
      if ((events & EV_WRITE) == 0) {
        ev_io_stop(loop, io);
        ev_io_set(io, io->fd, EV_WRITE);
        ev_io_start(loop, io);
      }
      return;
    }
    c->sent += static_cast<std::size_t>(n);
  }
  if ((events & EV_WRITE) != 0) {
    ev_io_stop(loop, io);
    ev_io_set(io, io->fd, EV_READ);
    ev_io_start(loop, io);
  }
}

void on_connection(struct ev_loop* loop, ev_io* io, int) {
  const int fd = accept4(io->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0 && errno == EINVAL) ev_break(loop, EVBREAK_ALL);  // a signal has shut the listener down
  if (fd < 0) return;
  auto* c = new connection;
  ev_io_init(&c->io, on_event, fd, EV_READ);
  ev_io_start(loop, &c->io);
}

}  // namespace

int main() {
  const int listener = example::start_listening(0, SOCK_NONBLOCK);
  if (listener < 0) return 1;
  struct ev_loop* loop = ev_default_loop(unsigned{EVFLAG_NOENV} | unsigned{EVBACKEND_EPOLL});
  ev_io accepting;
  ev_io_init(&accepting, on_connection, listener, EV_READ);
  ev_io_start(loop, &accepting);
  ev_run(loop, 0);
}
