// SPDX-License-Identifier: MIT
// The cases of gevent's tests of its sockets (test__socket and those beside it), as far as they are about more than Python and
// stream_socket_test.cpp, waiting_test.cpp, listener_test.cpp and datagram_socket_test.cpp have them not.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/io/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/connect.hpp"
#include "weft/datagram_socket.hpp"
#include "weft/io.hpp"
#include "weft/listener.hpp"
#include "weft/stream_socket.hpp"
#include "weft/task.hpp"
#include "weft/test_clock.hpp"

namespace weft {
namespace {

using namespace test;

const address anywhere = address::loopback(AF_INET, 0);
const std::error_code closed(EBADF, std::system_category());

std::string long_data() {
  std::string all;
  for (int i = 0; i < 20'000; ++i) all += std::to_string(i) + ", ";
  return all;
}

std::string read_all(stream_socket s) {
  std::string all;
  char room[4096];
  while (const std::size_t n = s.read_some(room, 60s)) all.append(room, n);
  return all;
}

class accepting : public testing::Test {
 protected:
  listener door{anywhere, {.backlog = 1}};
  stream_socket client() { return stream_socket::connect(door.local_address(), 60s); }

  // What arrives of that which @p send writes to a client of its own.
  template <class Send>
  std::string arrives(Send send) {
    const task<std::string> reader = spawn([&] { return read_all(door.accept()); });
    {
      stream_socket s = client();
      send(s);
    }
    return reader.get();
  }
};

TEST_F(accepting, everything_is_sent_of_text_of_numbers_and_of_a_structure) {
  const std::string text = long_data();
  EXPECT_EQ(arrives([&](stream_socket& s) { s.write_all(text); }), text);
  EXPECT_EQ(arrives([&](stream_socket& s) { s.write_all(text, 60s); }), text);

  std::vector<std::uint32_t> numbers(50'000);
  std::iota(numbers.begin(), numbers.end(), 0U);
  const std::string raw(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof numbers[0]);
  EXPECT_EQ(arrives([&](stream_socket& s) { s.write_all(numbers); }), raw);

  struct structure {
    int x = 0x01020304;
  } one;
  const std::string_view its_bytes(reinterpret_cast<const char*>(&one), sizeof one);
  EXPECT_EQ(arrives([&](stream_socket& s) { s.write_all({&one, sizeof one}); }), its_bytes);
}

// Its issue 719: with a time-out, too.
TEST_F(accepting, nothing_is_sent_at_once) {
  EXPECT_EQ(arrives([](stream_socket& s) {
              s.write_all("");
              s.write_all("", 60s);
              s.write_all("", 0s);
              EXPECT_EQ(s.write_some(""), 0U);
              EXPECT_EQ(s.write_some("", 60s), 0U);
            }),
            "");
}

// Who asks not to wait sends what there is room for all the same.
TEST_F(accepting, a_write_that_may_not_wait_is_tried) {
  EXPECT_EQ(arrives([](stream_socket& s) { s.write_all("hi\n", 0s); }), "hi\n");
}

// A writer that begins while another fiber reads the same socket; and a close behind both, which used to hang.
TEST_F(accepting, both_directions_at_once) {
  constexpr std::size_t much = 100'000;
  const task<std::string> server = spawn([&] {
    stream_socket s = door.accept();
    const task<> sender = spawn([&] { s.write_all(std::string(much, 't'), 60s); });
    std::string request(11, ' ');
    s.read_exactly(request, 60s);
    sender.get();
    return request;
  });
  stream_socket s = client();
  const task<std::size_t> reader = spawn([&] {
    std::string got(much, ' ');
    s.read_exactly(got, 60s);
    return got.size();
  });
  settle();
  s.write_all("hello world");
  EXPECT_EQ(reader.get(), much);
  s.close();
  EXPECT_EQ(server.get(), "hello world");
}

TEST_F(accepting, a_read_ends_at_its_time) {
  WEFT_TEST_CLOCK(clock);
  stream_socket s = client();
  const stream_socket peer = door.accept();
  char room[1024];
  EXPECT_EQ(failure([&] { s.read_some(room, 20min); }), io_errc::timed_out);
  EXPECT_EQ(clock.elapsed(), 20min);
  std::string line;
  EXPECT_EQ(failure([&] { s.read_until(line, "\n", 5min); }), io_errc::timed_out);
  try {
    s.read_some(room, 0s);
    FAIL() << "nothing has come";
  } catch (const std::system_error& error) {
    EXPECT_NE(std::string(error.what()).find("deadline passed"), std::string::npos) << error.what();
  }
}

TEST_F(accepting, a_write_ends_at_its_time) {
  stream_socket s = client();
  const stream_socket peer = door.accept();
  std::error_code ec;
  const std::string more_than_fits(64'000'000, 'x');
  const std::size_t sent = s.write_all(more_than_fits, ec, 20ms);
  EXPECT_EQ(ec, io_errc::timed_out);
  EXPECT_LT(sent, more_than_fits.size());
}

// A file made of the socket lives on when the socket is closed: here the descriptor is doubled and taken over.
TEST_F(accepting, what_is_doubled_outlives_the_first) {
  const fiber server = spawn([&] { door.accept().write_all("hello\n"); });
  stream_socket first = client();
  stream_socket second(dup(first.native_handle()));
  first.close();
  std::string line;
  EXPECT_EQ(second.read_until(line, "\n", 60s), 6U);
  EXPECT_EQ(line, "hello\n");
  char room[1];
  EXPECT_EQ(second.read_some(room, 60s), 0U);
  EXPECT_TRUE(server.join(60s));
}

TEST_F(accepting, a_close_wakes_who_reads_and_who_accepts) {
  stream_socket s = client();
  const stream_socket peer = door.accept();
  const task<> receiver = spawn([&] {
    char room[25];
    s.read_some(room);
  });
  const task<> acceptor = spawn([&] { door.accept(); });
  settle();
  s.close();
  door.close();
  EXPECT_EQ(failure([&] { receiver.get(); }), closed);
  EXPECT_EQ(failure([&] { acceptor.get(); }), closed);
}

// gevent refuses a second reader; here each byte goes to one of them.
TEST_F(accepting, two_may_read_one_socket) {
  stream_socket s = client();
  stream_socket peer = door.accept();
  const auto read_one = [&] {
    char room[1];
    s.read_exactly(room, 60s);
    return room[0];
  };
  const task<char> first = spawn(read_one), second = spawn(read_one);
  settle();
  peer.write_all("ab");
  const std::string got{first.get(), second.get()};
  EXPECT_TRUE(got == "ab" || got == "ba") << got;
}

TEST(gevent_socket, a_pair_carries_what_was_sent_before_the_close) {
  auto [x, y] = stream_socket::pair();
  stream_socket doubled_x(dup(x.native_handle())), doubled_y(dup(y.native_handle()));
  x.close();
  y.close();
  doubled_x.write_all("hello world");
  doubled_x.close();
  EXPECT_EQ(read_all(std::move(doubled_y)), "hello world");
}

TEST(gevent_socket, kinds_and_protocols_can_be_asked_for) {
  const datagram_socket s = datagram_socket::bind(anywhere);
  EXPECT_EQ(s.get(socket_option<int>{SOL_SOCKET, SO_DOMAIN}), AF_INET);
  EXPECT_EQ(s.get(socket_option<int>{SOL_SOCKET, SO_TYPE}), SOCK_DGRAM) << "without SOCK_NONBLOCK";
  EXPECT_EQ(s.get(socket_option<int>{SOL_SOCKET, SO_PROTOCOL}), IPPROTO_UDP);
}

TEST(gevent_socket, messages_may_be_structures) {
  const datagram_socket there = datagram_socket::bind(anywhere);
  datagram_socket s = datagram_socket::connect(there.local_address());
  struct structure {
    int x = 7;
  } one;
  s.send({&one, sizeof one});
  s.send({&one, sizeof one}, 60s);
}

// A port nobody listens at: with an error code, with one's own port, and while time has run out already.
TEST(gevent_socket, a_refused_connection_says_so) {
  const address nobody = listener(anywhere).local_address();
  const address mine = listener(anywhere).local_address();
  std::error_code ec;
  EXPECT_FALSE(stream_socket::connect(nobody, ec).is_open());
  EXPECT_EQ(ec, std::errc::connection_refused);
  stream_socket::connect(nobody, ec, 0s);
  EXPECT_EQ(ec, std::errc::connection_refused);
  try {
    stream_socket::connect(nobody, mine, 60s);
    FAIL() << "nobody listens";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::connection_refused);
    EXPECT_NE(std::string(error.what()).find("refused"), std::string::npos) << error.what();
  }
}

// A port is a 16-bit number by its type; in a text a greater one is no port.
TEST(gevent_socket, a_port_above_65535_is_none) {
  EXPECT_THROW(address::parse("127.0.0.1:65539"), std::invalid_argument);
  static_assert(std::is_same_v<decltype(address::loopback(AF_INET, 0).port()), std::uint16_t>);
}

// Flags of a socket's type (close-on-exec here) never reach the resolver.
TEST_F(accepting, a_host_is_connected_to_by_its_number) {
  const fiber server = spawn([&] { door.accept().write_all("hello\n"); });
  stream_socket s = connect("127.0.0.1", door.local_address().port(), 60s);
  std::string line;
  EXPECT_EQ(s.read_until(line, "\n", 60s), 6U);
  EXPECT_TRUE(server.join(60s));
}

TEST(gevent_socket, waiting_for_a_descriptor_ends_at_its_time) {
  auto [x, y] = stream_socket::pair();
  EXPECT_FALSE(wait_readable(x.native_handle(), 5ms));
  EXPECT_TRUE(wait_writable(x.native_handle(), 60s));
}

TEST(gevent_socket, what_is_closed_says_so) {
  stream_socket s = std::move(stream_socket::pair().first);
  s.close();
  EXPECT_EQ(failure([&] { s.shutdown(SHUT_RDWR); }), closed);
  EXPECT_EQ(failure([&] { s.write_all("a", 60s); }), closed);
  EXPECT_EQ(failure([&] { s.get(socket_options::send_buffer); }), closed);
}

TEST(gevent_socket, an_address_with_a_scope_is_taken_as_it_is) {
  const address scoped = address::parse("[fe80::1%9]:80");
  EXPECT_EQ(scoped.port(), 80);
  EXPECT_EQ(scoped.to_string(), "[fe80::1%9]:80");
}

}  // namespace
}  // namespace weft
