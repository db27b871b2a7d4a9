// SPDX-License-Identifier: MIT
#include "weft/socket_option.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/io/support.hpp"
#include "weft/listener.hpp"
#include "weft/stream_socket.hpp"

namespace weft {
namespace {

using namespace test;

TEST(socket_option, every_kind_of_value_is_set_and_read) {
  listener l(address::loopback(AF_INET, 0));
  stream_socket s = stream_socket::connect(l.local_address());
  s.set(socket_options::no_delay, false);
  EXPECT_FALSE(s.get(socket_options::no_delay));
  s.set(socket_options::keep_alive_count, 7);
  EXPECT_EQ(s.get(socket_options::keep_alive_count), 7);
  s.set(socket_options::keep_alive_idle, 90s);
  EXPECT_EQ(s.get(socket_options::keep_alive_idle), 90s);
  EXPECT_EQ(s.get(socket_options::linger), std::nullopt);
  s.set(socket_options::linger, 3s);
  EXPECT_EQ(s.get(socket_options::linger), 3s);
  s.set(socket_options::linger, std::nullopt);
  EXPECT_EQ(s.get(socket_options::linger), std::nullopt);
  s.set(socket_options::receive_buffer, 10'000);
  EXPECT_EQ(s.get(socket_options::receive_buffer), 20'000) << "the kernel doubles it";
  constexpr socket_option<int> own{IPPROTO_TCP, TCP_USER_TIMEOUT};
  s.set(own, 1234);
  EXPECT_EQ(s.get(own), 1234);
}

TEST(socket_option, the_kernel_s_refusal_is_an_error) {
  auto [a, b] = stream_socket::pair();
  EXPECT_EQ(failure([&s = a] { s.set(socket_options::no_delay, true); }), std::errc::operation_not_supported);
  std::error_code ec;
  a.set(socket_options::no_delay, true, ec);
  EXPECT_EQ(ec, std::errc::operation_not_supported);
  static_cast<void>(a.get(socket_options::no_delay, ec));
  EXPECT_TRUE(ec);
  EXPECT_EQ(a.get(socket_options::peer_credentials, ec).pid, getpid());
  EXPECT_FALSE(ec);
}

TEST(socket_option, zero_linger_resets_the_connection) {
  listener l(address::loopback(AF_INET, 0));
  stream_socket client = stream_socket::connect(l.local_address());
  stream_socket server = l.accept();
  client.set(socket_options::linger, 0s);
  client.close();
  char room[1];
  EXPECT_EQ(failure([&] { server.read_some(room, 60s); }), std::errc::connection_reset);
}

}  // namespace
}  // namespace weft
