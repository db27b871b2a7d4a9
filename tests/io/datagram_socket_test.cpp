// SPDX-License-Identifier: MIT
#include "weft/datagram_socket.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "tests/io/support.hpp"

namespace weft {
namespace {

using namespace test;

const address anywhere = address::loopback(AF_INET, 0);

TEST(datagram_socket, messages_keep_their_boundaries_and_say_where_they_come_from) {
  datagram_socket a = datagram_socket::bind(anywhere);
  datagram_socket b = datagram_socket::bind(anywhere);
  a.send_to("one", b.local_address());
  a.send_to("", b.local_address());
  a.send_to("three", b.local_address());
  char room[16];
  address from;
  EXPECT_EQ(b.receive_from(room, from, 60s).bytes, 3U);
  EXPECT_EQ(from, a.local_address());
  EXPECT_EQ(b.receive(room, 60s).bytes, 0U) << "an empty message is one";
  EXPECT_EQ(b.receive(room, 60s).bytes, 5U);
  EXPECT_EQ(std::string(room, 5), "three");
}

TEST(datagram_socket, what_does_not_fit_is_cut_and_said_so) {
  auto [a, b] = datagram_socket::pair();
  a.send("abcdef");
  a.send("gh");
  char room[4];
  const auto first = b.receive(room);
  EXPECT_EQ(first.bytes, 4U);
  EXPECT_TRUE(first.truncated);
  const auto second = b.receive(room);
  EXPECT_EQ(second.bytes, 2U);
  EXPECT_FALSE(second.truncated);
}

TEST(datagram_socket, a_receiver_waits_for_a_message) {
  auto [a, b] = datagram_socket::pair();
  const fiber receiver = spawn([&b = b] {
    char room[4];
    for (int i = 0; i < 3; ++i) EXPECT_EQ(b.receive(room).bytes, 1U);
  });
  for (int i = 0; i < 3; ++i) {
    settle();
    a.send("x");
  }
  receiver.join();
}

TEST(datagram_socket, a_sender_waits_for_room) {
  auto [a, b] = datagram_socket::pair();
  constexpr int count = 2000;
  const fiber sender = spawn([&a = a] {
    for (int i = 0; i < count; ++i) a.send("x");
  });
  char room[4];
  for (int i = 0; i < count; ++i) EXPECT_EQ(b.receive(room).bytes, 1U);
  sender.join();
}

TEST(datagram_socket, a_connected_one_hears_that_nobody_is_there) {
  datagram_socket gone = datagram_socket::bind(anywhere);
  const address nobody = gone.local_address();
  gone.close();
  datagram_socket s = datagram_socket::connect(nobody);
  s.send("x");
  char room[4];
  EXPECT_EQ(failure([&] { s.receive(room, 60s); }), std::errc::connection_refused);
  datagram_socket there = datagram_socket::bind(anywhere);
  s.connect_to(there.local_address());
  s.send("y");
  EXPECT_EQ(there.receive(room, 60s).bytes, 1U);
}

TEST(datagram_socket, one_call_moves_many) {
  datagram_socket a = datagram_socket::bind(anywhere);
  datagram_socket b = datagram_socket::bind(anywhere);
  std::vector<datagram_socket::outgoing> out(10, {"abc", b.local_address()});
  EXPECT_EQ(a.send_many(out), 10U);
  EXPECT_EQ(a.send_many({}), 0U);
  char rooms[12][2];
  std::vector<datagram_socket::incoming> in(12);
  for (int i = 0; i < 12; ++i) in[static_cast<std::size_t>(i)].room = rooms[i];
  std::size_t got = 0;
  while (got < 10) {
    const std::size_t n = b.receive_many(std::span(in).subspan(got), 60s);
    for (std::size_t i = got; i < got + n; ++i) {
      EXPECT_EQ(in[i].bytes, 2U);
      EXPECT_TRUE(in[i].truncated);
      EXPECT_EQ(in[i].from, a.local_address());
    }
    got += n;
  }
  EXPECT_EQ(b.receive_many({}), 0U);
}

TEST(datagram_socket, errors_of_sending) {
  datagram_socket s = datagram_socket::bind(anywhere);
  EXPECT_EQ(failure([&] { s.send("x"); }), std::errc::destination_address_required);
  EXPECT_EQ(failure([&] { s.send_to(std::string(100'000, 'x'), s.local_address()); }), std::errc::message_size);
  std::error_code ec;
  s.send_to("x", s.local_address(), ec);
  EXPECT_FALSE(ec);
  s.close();
  s.send("x", ec);
  EXPECT_EQ(ec, std::errc::bad_file_descriptor);
  EXPECT_EQ(failure([] { datagram_socket::bind(address::ip("192.0.2.1", 0)); }), std::errc::address_not_available);
}

TEST(datagram_socket, packets_can_be_taken_over_and_streams_not) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  datagram_socket a(ends[0]);
  {
    datagram_socket b(ends[1]);
    b.send("ab");
    b.send("c");
  }
  char room[4];
  EXPECT_EQ(a.receive(room).bytes, 2U);
  EXPECT_EQ(a.receive(room).bytes, 1U);
  EXPECT_EQ(a.receive(room).bytes, 0U) << "the peer has ended";
  int stream[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
  EXPECT_EQ(failure([&] { datagram_socket s(stream[0]); }), std::errc::wrong_protocol_type);
  close(stream[0]);
  close(stream[1]);
}

TEST(datagram_socket, unix_names) {
  const address at = address::abstract("weft datagrams " + std::to_string(getpid()));
  datagram_socket named = datagram_socket::bind(at);
  datagram_socket client = datagram_socket::connect(at);
  client.send("x");
  char room[4];
  address from;
  EXPECT_EQ(named.receive_from(room, from).bytes, 1U);
  EXPECT_EQ(from.size(), 0U) << "nobody can answer a socket without a name";
}

}  // namespace
}  // namespace weft
