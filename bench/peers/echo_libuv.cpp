// SPDX-License-Identifier: MIT
// The echo server as one writes it with libuv: what came is tried to be sent at once, and only what the socket does not take is a
// request of its own.
#include <uv.h>

#include <cstdlib>
#include <cstring>

#include "examples/thread_server.hpp"

namespace {

struct connection {
  uv_tcp_t socket;  // first: libuv hands out its address
  char buffer[1024];
};

struct rest {
  uv_write_t request;  // first, as above
  char data[1024];
};

void end(uv_handle_t* socket) {
  uv_close(socket, [](uv_handle_t* closed) { delete reinterpret_cast<connection*>(closed); });
}

void give_buffer(uv_handle_t* socket, std::size_t, uv_buf_t* buffer) {
  auto* c = reinterpret_cast<connection*>(socket);
  *buffer = uv_buf_init(c->buffer, sizeof c->buffer);
}

void on_data(uv_stream_t* socket, ssize_t n, const uv_buf_t* data) {
  if (n == 0) return;
  if (n < 0) return end(reinterpret_cast<uv_handle_t*>(socket));
  const auto size = static_cast<unsigned>(n);
  uv_buf_t out = uv_buf_init(data->base, size);
  const int taken = uv_try_write(socket, &out, 1);
  if (taken == n) return;
  if (taken < 0 && taken != UV_EAGAIN) return end(reinterpret_cast<uv_handle_t*>(socket));
  const unsigned sent = taken < 0 ? 0 : static_cast<unsigned>(taken);
  auto* left = new rest;
  std::memcpy(left->data, data->base + sent, size - sent);
  out = uv_buf_init(left->data, size - sent);
  uv_write(&left->request, socket, &out, 1, [](uv_write_t* done, int) { delete reinterpret_cast<rest*>(done); });
}

void on_connection(uv_stream_t* listener, int status) {
  if (status < 0) return uv_stop(listener->loop);  // a signal has shut the listener down
  auto* c = new connection;
  uv_tcp_init(listener->loop, &c->socket);
  auto* const socket = reinterpret_cast<uv_stream_t*>(&c->socket);
  if (uv_accept(listener, socket) == 0) {
    uv_read_start(socket, give_buffer, on_data);
  } else {
    end(reinterpret_cast<uv_handle_t*>(socket));
  }
}

}  // namespace

int main() {
  const int fd = example::start_listening(0, SOCK_NONBLOCK);
  if (fd < 0) return EXIT_FAILURE;
  uv_tcp_t listener;
  uv_tcp_init(uv_default_loop(), &listener);
  if (uv_tcp_open(&listener, fd) != 0) return EXIT_FAILURE;
  if (uv_listen(reinterpret_cast<uv_stream_t*>(&listener), SOMAXCONN, on_connection) != 0) return EXIT_FAILURE;
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
