// SPDX-License-Identifier: MIT
// gevent's wsgiserver.py and wsgiserver_ssl.py: two pages, in the clear and by TLS. The HTTP is Boost.Beast's, over Weft's streams. Here
// a client asks for them, and then it ends.
//     gevent_web_server CHAIN KEY      PEM files, of a certificate for localhost that is its own authority
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>
#include <string>
#include <weft/asio_stream.hpp>
#include <weft/tls_stream.hpp>
#include <weft/weft.hpp>

namespace {

using namespace std::chrono_literals;
namespace beast = boost::beast;
namespace http = beast::http;

constexpr auto patience = 30s;

http::response<http::string_body> application(const http::request<http::string_body>& request) {
  const bool found = request.target() == "/";
  http::response<http::string_body> response(found ? http::status::ok : http::status::not_found, request.version());
  response.set(http::field::content_type, "text/html");
  response.body() = found ? "<b>hello world</b>" : "<h1>Not Found</h1>";
  response.keep_alive(request.keep_alive());
  response.prepare_payload();
  return response;
}

// Any number of requests of one connection, in the clear or not.
template <class Stream>
void serve(Stream connection) {
  weft::asio_stream<Stream> stream(std::move(connection));
  beast::flat_buffer buffer;
  for (bool more = true; more;) {
    http::request<http::string_body> request;
    boost::system::error_code ec;
    stream.expires(patience);
    http::read(stream, buffer, request, ec);
    if (ec) return;
    http::write(stream, application(request), ec);
    more = !ec && request.keep_alive();
  }
}

template <class Stream>
void ask(const char* how, Stream connection) {
  weft::asio_stream<Stream> stream(std::move(connection));
  stream.expires(patience);
  beast::flat_buffer buffer;
  for (const char* const page : {"/", "/nowhere"}) {
    http::request<http::empty_body> request(http::verb::get, page, 11);
    request.set(http::field::host, "localhost");
    http::write(stream, request);
    http::response<http::string_body> response;
    http::read(stream, buffer, response);
    std::printf("%s %s: %u %s\n", how, page, response.result_int(), response.body().c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: gevent_web_server CHAIN KEY\n", stderr);
    return 2;
  }
  const weft::address anywhere = weft::address::loopback(AF_INET, 0);
  weft::stream_server plain(anywhere, serve<weft::stream_socket>);
  plain.start();

  weft::tls_context ours = weft::tls_context::server();
  ours.certificate_files(argv[1], argv[2]).alpn({"http/1.1"});
  weft::stream_server secret(
      anywhere, [&](weft::stream_socket s) { serve(weft::tls_stream::server(std::move(s), ours, patience)); });
  secret.start();

  ask("http", weft::stream_socket::connect(plain.local_address(), patience));
  weft::tls_context theirs = weft::tls_context::client();
  theirs.trust_file(argv[1]);
  ask("https", weft::tls_stream::client(weft::stream_socket::connect(secret.local_address(), patience), theirs,
                                        "localhost", patience));
  plain.stop(patience);
  secret.stop(patience);
}
