// SPDX-License-Identifier: MIT
// gevent's udp_server.py and udp_client.py in one program: a datagram that gets an answer, and one that nobody answers.
#include <cstdio>
#include <string>
#include <string_view>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

void serve(weft::datagram_socket& socket) {
  char buffer[2048];
  for (weft::address from;;) {
    const auto got = socket.receive_from(buffer, from);
    socket.send_to("received " + std::to_string(got.bytes) + " bytes", from);
  }
}

void ask(const weft::address& server, std::string_view question) {
  weft::datagram_socket socket = weft::datagram_socket::connect(server);
  socket.send(question);
  char buffer[2048];
  std::error_code ec;
  const auto got = socket.receive(buffer, ec, 50ms);  // datagrams may get lost, so nobody waits for ever
  if (ec) {
    std::printf("no answer: %s\n", ec.message().c_str());
  } else {
    std::printf("%.*s\n", static_cast<int>(got.bytes), buffer);
  }
}

}  // namespace

int main() {
  weft::datagram_socket socket = weft::datagram_socket::bind(weft::address::parse("127.0.0.1:0"));
  const weft::address here = socket.local_address();
  const weft::task<> server = weft::spawn(serve, std::ref(socket));
  ask(here, "hello");
  server.kill();
  ask(here, "anybody there?");
}
