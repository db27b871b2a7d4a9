// SPDX-License-Identifier: MIT
// docs/tutorial.md: a server and its clients.
#include <cstdio>
#include <stop_token>
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

// [graceful]
// The same for clients that stay. While it waits for the next line, and only there, a stop of the server ends it.
void serve_until_stop(const std::stop_token& stop, weft::stream_socket client) {
  std::string buffer;
  for (;;) {
    std::size_t length = 0;
    {
      const weft::cancel_on_stop idle(stop);  // thrown as `cancelled`: by read_until, or by the next one
      length = client.read_until(buffer, "\n", 4096);
    }
    client.write_all(std::string(buffer.rend() - static_cast<std::ptrdiff_t>(length) + 1, buffer.rend()) + "\n", 10s);
    buffer.erase(0, length);
  }
}

void a_graceful_stop() {
  weft::stream_server server(weft::address::parse("127.0.0.1:0"), serve_until_stop);
  server.start();
  weft::stream_socket idle = weft::stream_socket::connect(server.local_address(), 10s);
  idle.write_all("!emoclew\n", 10s);
  std::string buffer;
  std::fputs(buffer.substr(0, idle.read_until(buffer, "\n", 4096, 10s)).c_str(), stdout);
  // The client stays, and says nothing more.
  std::puts(server.stop(1min) ? "all have ended by themselves" : "some were cancelled after a minute");
}
// [end graceful]

}  // namespace

int main() {
  server_and_clients();
  a_graceful_stop();
}
