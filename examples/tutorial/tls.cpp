// SPDX-License-Identifier: MIT
// docs/tutorial.md: a line that others cannot read.
#include <cstdio>
#include <string>
#include <weft/tls_stream.hpp>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

// [server]
void answer(weft::stream_socket client, const weft::tls_context& context) {
  weft::tls_stream line = weft::tls_stream::server(std::move(client), context, 10s);  // shakes hands
  std::string buffer;
  const std::size_t length = line.read_until(buffer, "\n", 4096, 10s);
  line.write_all("in secret: " + buffer.substr(0, length), 10s);
  line.shutdown(10s);
}
// [end server]

// [client]
std::string ask(const weft::address& at, const weft::tls_context& context) {
  weft::stream_socket s = weft::stream_socket::connect(at, 10s);
  weft::tls_stream line =
      weft::tls_stream::client(std::move(s), context, "localhost", 10s);  // or throws: not localhost
  line.write_all("hello\n", 10s);
  std::string buffer;
  return buffer.substr(0, line.read_until(buffer, "\n", 4096, 10s));
}
// [end client]

void both(const std::string& chain, const std::string& key) {
  // [contexts]
  weft::tls_context ours = weft::tls_context::server();
  ours.certificate_files(chain, key);  // in PEM
  weft::tls_context theirs = weft::tls_context::client();
  theirs.trust_file(chain);  // besides the authorities of the system
  weft::stream_server server(weft::address::parse("127.0.0.1:0"),
                             [&](weft::stream_socket s) { answer(std::move(s), ours); });
  server.start();
  std::fputs(ask(server.local_address(), theirs).c_str(), stdout);
  // [end contexts]
}

}  // namespace

// tls CHAIN KEY
int main(int argc, char** argv) {
  if (argc == 3) both(argv[1], argv[2]);
  return argc == 3 ? 0 : 2;
}
