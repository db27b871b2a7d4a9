// SPDX-License-Identifier: MIT
// A chat room on 127.0.0.1: a web page over HTTP/1.1, and a WebSocket at /chat, both by Boost.Beast.
//     chat [PORT]      ends on SIGTERM or SIGINT
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <weft/asio_stream.hpp>
#include <weft/weft.hpp>

#include "chat_page.hpp"

namespace {

using namespace std::chrono_literals;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using boost::system::error_code;
using message = std::shared_ptr<const std::string>;

constexpr std::size_t longest_message = 64 * 1024;
constexpr auto patience = 30s;  // for a request, and for a peer that takes nothing

/// A socket of which one fiber reads while others write: what each gives at once, a frame of WebSocket, goes out in one
/// piece. Beast answers pings from within a read.
class shared_socket {
 public:
  explicit shared_socket(weft::stream_socket s) : socket_(std::move(s)), writing_(std::make_unique<weft::mutex>()) {}
  std::size_t read_some(std::span<const weft::mutable_buffer> to, std::error_code& ec, weft::deadline by) {
    return socket_.read_some(to, ec, by);
  }
  std::size_t write_some(std::span<const weft::const_buffer> from, std::error_code& ec, weft::deadline) {
    const std::lock_guard guard(*writing_);
    return socket_.write_all(from, ec, patience);
  }
  void close() noexcept { socket_.close(); }

 private:
  weft::stream_socket socket_;
  std::unique_ptr<weft::mutex> writing_;
};

/// Everybody who has joined hears what one says. Who is too slow misses the oldest of it.
class room {
 public:
  void join(websocket::stream<weft::asio_stream<shared_socket>>& ws) {
    weft::scope both;
    both.run([&] {
      both.spawn([&, mine = said_.subscribe(100, weft::overflow::drop_oldest)]() mutable {
        for (const message& m : mine) {
          error_code ec;
          ws.write(boost::asio::buffer(*m), ec);
          if (ec) return;  // the reader finds out
        }
      });
      listen(ws);
      both.cancel();
    });
  }

 private:
  void listen(websocket::stream<weft::asio_stream<shared_socket>>& ws) {
    beast::flat_buffer buffer;
    error_code ec;
    while (ws.read(buffer, ec), !ec) {
      said_.publish(std::make_shared<const std::string>(beast::buffers_to_string(buffer.data())));
      buffer.clear();
    }
  }

  weft::broadcast<message> said_;
};

http::response<http::string_body> answer_to(const http::request<http::empty_body>& request) {
  const bool page = request.target() == "/" && request.method() == http::verb::get;
  http::response<http::string_body> response(page ? http::status::ok : http::status::not_found, request.version());
  response.set(http::field::content_type, page ? "text/html; charset=utf-8" : "text/plain");
  response.body() = page ? example::chat_page : "There is / and /chat.\n";
  response.keep_alive(request.keep_alive());
  response.prepare_payload();
  return response;
}

void serve(room& all, weft::stream_socket socket) {
  weft::asio_stream<weft::stream_socket> stream(std::move(socket));
  beast::flat_buffer buffer;
  for (;;) {
    http::request<http::empty_body> request;
    error_code ec;
    stream.expires(patience);
    http::read(stream, buffer, request, ec);
    if (ec) return;
    if (websocket::is_upgrade(request) && request.target() == "/chat") {
      websocket::stream<weft::asio_stream<shared_socket>> ws(shared_socket(std::move(stream.next_layer())));
      ws.read_message_max(longest_message);
      ws.text(true);
      ws.accept(request, ec);
      if (!ec) all.join(ws);
      return;
    }
    http::write(stream, answer_to(request), ec);
    if (ec || !request.keep_alive()) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  char* end = nullptr;
  const unsigned long port = argc > 1 ? std::strtoul(argv[1], &end, 10) : 0;
  if (argc > 2 || port > 65535 || (end != nullptr && (*end != '\0' || end == argv[1]))) {
    std::fputs("usage: chat [PORT]\n", stderr);
    return 2;
  }
  try {
    room all;
    weft::signal_stream stop({SIGINT, SIGTERM});
    weft::stream_server server(weft::address::loopback(AF_INET, static_cast<std::uint16_t>(port)),
                               [&](weft::stream_socket s) { serve(all, std::move(s)); });
    server.start();
    std::printf("listening on %u\n", server.local_address().port());
    std::fflush(stdout);
    stop.receive();
    server.stop(100ms);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "chat: %s\n", error.what());
    return 1;
  }
}
