// SPDX-License-Identifier: MIT
// An echo server on 127.0.0.1: a fiber for each connection, all on one OS thread.
//     echo_server [PORT]      ends on SIGTERM or SIGINT
#include <cstdio>
#include <exception>

#include "thread_server.hpp"
#include "weft/weft.hpp"

namespace {

void echo(weft::stream_socket socket) {
  char buffer[1024];
  while (const std::size_t received = socket.read_some(buffer)) socket.write_all({buffer, received});
}

}  // namespace

int main(int argc, char** argv) {
  const int listening = example::start_listening(example::port_argument(argc, argv));
  if (listening < 0) return 1;
  weft::stream_server server(weft::listener(listening), echo);
  try {
    server.serve();
  } catch (const std::system_error& error) {
    // A signal shuts the listener down.
    if (error.code() == std::errc::invalid_argument) return 0;
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
