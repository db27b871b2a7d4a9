// SPDX-License-Identifier: MIT
// Boost.Beast over streams of Weft, plain and encrypted. The only file of the tests that reads Beast's headers.
#include "weft/asio_stream.hpp"

#include <gtest/gtest.h>

#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <string>

#include "tests/tls/support.hpp"

namespace weft {
namespace {

using namespace test;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using boost::system::error_code;

static_assert(beast::is_sync_stream<stream_socket>::value);
static_assert(beast::is_sync_stream<tls_stream>::value);
static_assert(beast::is_sync_stream<asio_stream<stream_socket>>::value);
static_assert(beast::is_sync_stream<asio_stream<tls_stream>>::value);

// Beast's templates take long to compile, so each protocol is spoken over one of the streams.
struct asio_streams : tls_test {
  using websocket_stream = websocket::stream<asio_stream<tls_stream>>;

  // Answers messages by themselves until there are no more.
  static error_code echo(tls_stream s) {
    websocket_stream ws(std::move(s));
    ws.next_layer().expires(60s);
    ws.accept();
    beast::flat_buffer buffer;
    error_code ec;
    while (ws.read(buffer, ec) != 0) {
      ws.write(buffer.data());
      buffer.clear();
    }
    return ec;
  }
};

TEST_F(asio_streams, carry_http) {
  auto [near, far] = stream_socket::pair();
  auto serving = spawn([&at = far] {
    beast::flat_buffer buffer;
    for (;;) {
      http::request<http::string_body> request;
      error_code ec;
      http::read(at, buffer, request, ec);
      if (ec == http::error::end_of_stream) return;
      ASSERT_FALSE(ec) << ec.message();
      http::response<http::string_body> response(http::status::ok, request.version());
      response.body() = std::string(request.target()) + request.body();
      response.prepare_payload();
      http::write(at, response);
    }
  });
  beast::flat_buffer buffer;
  for (const std::size_t size : {0U, 10U, 100'000U}) {
    http::request<http::string_body> request(http::verb::post, "/path", 11);
    request.body() = std::string(size, 'x');
    request.prepare_payload();
    http::write(near, request);
    http::response<http::string_body> response;
    http::read(near, buffer, response);
    EXPECT_EQ(response.body(), "/path" + request.body());
  }
  near.shutdown();
  serving.get();
}

TEST_F(asio_streams, carry_websockets) {
  auto [near, far] = line();
  auto serving = spawn([&at = far] { return echo(std::move(at)); });
  websocket_stream ws(std::move(near));
  ws.handshake("site.example", "/chat");
  beast::flat_buffer buffer;
  for (const std::size_t size : {1U, 126U, 70'000U}) {
    const std::string sent(size, 'm');
    ws.write(boost::asio::buffer(sent));
    ws.read(buffer);
    EXPECT_EQ(beast::buffers_to_string(buffer.data()), sent);
    buffer.clear();
  }
  error_code ec;
  EXPECT_TRUE(cancels([&] { ws.read(buffer, ec); }));
  ws.next_layer().expires(1ms);
  ws.read(buffer, ec);
  EXPECT_EQ(ec, boost::asio::error::timed_out);
  ws.next_layer().next_layer().close();
  EXPECT_TRUE(serving.get());
}

TEST_F(asio_streams, a_websocket_can_be_closed) {
  auto [near, far] = line();
  auto serving = spawn([&at = far] { return echo(std::move(at)); });
  websocket_stream ws(std::move(near));
  ws.handshake("site.example", "/");
  ws.close(websocket::close_code::going_away);
  EXPECT_EQ(serving.get(), websocket::error::closed);
  EXPECT_FALSE(ws.next_layer().next_layer().is_open());
}

TEST_F(asio_streams, errors_are_those_of_asio) {
  auto [near, far] = stream_socket::pair();
  char room[4];
  error_code ec;
  far.shutdown();
  EXPECT_EQ(near.read_some(boost::asio::buffer(room), ec), 0U);
  EXPECT_EQ(ec, boost::asio::error::eof);
  EXPECT_THROW(near.read_some(boost::asio::buffer(room)), boost::system::system_error);
  EXPECT_EQ(near.read_some(boost::asio::mutable_buffer(), ec), 0U);
  EXPECT_FALSE(ec) << "no room is no end";
  far.close();
  near.write_some(boost::asio::buffer("x", 1), ec);
  EXPECT_EQ(ec, boost::asio::error::broken_pipe);
  EXPECT_EQ(ec, boost::system::errc::broken_pipe);
  EXPECT_THROW(near.write_some(boost::asio::buffer("x", 1)), boost::system::system_error);

  ec = detail::to_boost(tls_errc::truncated);
  EXPECT_EQ(ec.message(), std::error_code(tls_errc::truncated).message());
  EXPECT_EQ(std::string(ec.category().name()), "weft.tls");
  EXPECT_EQ(ec, detail::to_boost(tls_errc::truncated)) << "the same category each time";
  EXPECT_EQ(detail::to_boost(io_errc::end_of_stream), boost::asio::error::eof);
  EXPECT_EQ(detail::to_boost(std::make_error_code(std::errc::invalid_argument)), boost::system::errc::invalid_argument);
  EXPECT_FALSE(detail::to_boost({}));
}

TEST_F(asio_streams, several_buffers_are_filled_in_order) {
  auto [near, far] = stream_socket::pair();
  const std::array<boost::asio::const_buffer, 3> out{boost::asio::buffer("ab", 2), boost::asio::const_buffer(),
                                                     boost::asio::buffer("cde", 3)};
  EXPECT_EQ(asio_stream<stream_socket>(std::move(near)).write_some(out), 5U);
  char one[2], two[8];
  EXPECT_EQ(
      far.read_some(std::array<boost::asio::mutable_buffer, 2>{boost::asio::buffer(one), boost::asio::buffer(two)}),
      5U);
  EXPECT_EQ(std::string(one, 2) + std::string(two, 3), "abcde");
}

}  // namespace
}  // namespace weft
