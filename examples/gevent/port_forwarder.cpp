// SPDX-License-Identifier: MIT
// gevent's portforwarder.py: what comes in on one port goes out to another, both ways at once.
//
//     port_forwarder LISTEN TO      addresses: 127.0.0.1:8080 [::1]:9090 unix:/run/app.sock
//
// Without arguments it forwards to an echo server of its own, says something through it, and ends.
#include <cstdio>
#include <exception>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

// Until the source has ended; then the other side is told so.
void copy(weft::stream_socket& from, weft::stream_socket& to) {
  char buffer[16384];
  std::error_code ec;
  while (const std::size_t n = from.read_some(buffer, ec)) {
    to.write_all({buffer, n}, ec);
    if (ec) break;
  }
  to.shutdown(SHUT_WR, ec);
}

weft::stream_server forwarder(const weft::address& at, const weft::address& to) {
  return {at, [to](weft::stream_socket client) {
            weft::stream_socket target = weft::stream_socket::connect(to, 10s);
            weft::scope both_ways;
            both_ways.run([&] {
              both_ways.spawn(copy, std::ref(target), std::ref(client));
              copy(client, target);
            });
          }};
}

void say_something() {
  const weft::address any_port = weft::address::parse("127.0.0.1:0");
  weft::stream_server echo(any_port, [](weft::stream_socket s) { copy(s, s); });
  echo.start();
  weft::stream_server forward = forwarder(any_port, echo.local_address());
  forward.start();
  weft::stream_socket client = weft::stream_socket::connect(forward.local_address(), 10s);
  client.write_all("there and back again\n");
  client.shutdown();
  char buffer[64];
  while (const std::size_t n = client.read_some(buffer, 10s)) std::fwrite(buffer, 1, n, stdout);
  forward.stop(10s);
  echo.stop(10s);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 3) {
      forwarder(weft::address::parse(argv[1]), weft::address::parse(argv[2])).serve();
    } else {
      say_something();
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "port_forwarder: %s\n", e.what());
    return 1;
  }
}
