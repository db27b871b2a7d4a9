// SPDX-License-Identifier: MIT
// docs/tutorial.md: a server and its clients.
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

// [handler]
// Answers each line with the line turned round, until the client leaves or is silent for ten seconds.
void serve(weft::stream_socket client) {
  std::string buffer;
  for (std::error_code ec;;) {
    const std::size_t length = client.read_until(buffer, "\n", 4096, ec, 10s);
    if (ec) return;
    const std::string answer(buffer.rend() - static_cast<std::ptrdiff_t>(length) + 1, buffer.rend());
    client.write_all(answer + "\n", 10s);
    buffer.erase(0, length);
  }
}
// [end handler]

// [client]
std::string ask(const weft::address& server, const std::string& question) {
  weft::stream_socket s = weft::stream_socket::connect(server, 10s);
  s.write_all(question + "\n", 10s);
  std::string buffer;
  return buffer.substr(0, s.read_until(buffer, "\n", 4096, 10s) - 1);
}
// [end client]

// [server]
void server_and_clients() {
  weft::stream_server server(weft::address::parse("127.0.0.1:0"), serve, {.limit = 100});
  server.start();
  std::vector<weft::task<std::string>> answers;
  for (const char* question : {"olleh", "dlrow"}) answers.push_back(weft::spawn(ask, server.local_address(), question));
  for (weft::task<std::string>& answer : answers) std::puts(answer.get().c_str());
  server.stop(1s);  // so long the connections may go on; then they are cancelled
}
// [end server]

}  // namespace

int main() { server_and_clients(); }
