// SPDX-License-Identifier: MIT
#include "weft/splicer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "tests/io/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/datagram_socket.hpp"
#include "weft/listener.hpp"
#include "weft/task.hpp"
#include "weft/test_clock.hpp"

namespace weft {
namespace {

using namespace test;

// For the static_asserts: what is no such stream is refused by the compiler.
template <class From, class To>
concept spliceable = requires(splicer s, From& from, To& to) {
  s.splice_all(from, to);
};

std::string pattern(std::size_t count) {
  std::string text(count, '\0');
  for (std::size_t i = 0; i < count; ++i) text[i] = static_cast<char>(i * 131 >> 3);
  return text;
}

template <class Stream>
std::string read_all(Stream& s) {
  std::string all;
  char room[3000];
  while (const std::size_t n = s.read_some(room, 60s)) all.append(room, n);
  return all;
}

std::pair<stream_socket, stream_socket> tcp_pair() {
  listener door(address::loopback(AF_INET, 0));
  stream_socket client = stream_socket::connect(door.local_address(), 60s);
  return {std::move(client), door.accept(60s)};
}

// What comes out behind @p to of that which was written before @p from.
template <class Writer, class From, class To, class Reader>
void expect_all_to_pass(Writer& writer, From& from, To& to, Reader& reader) {
  const std::string sent = pattern(1'000'000);
  const task<std::string> received = spawn([&] { return read_all(reader); });
  const fiber sender = spawn([&] {
    writer.write_all(sent, 60s);
    writer.close();
  });
  splicer s;
  EXPECT_EQ(s.splice_all(from, to, 60s), sent.size());
  EXPECT_EQ(s.splice_some(from, to), 0U) << "it has ended";
  EXPECT_EQ(s.pending(), 0U);
  to.close();
  EXPECT_TRUE(received.get() == sent);
}

TEST(splicer, everything_passes_from_socket_to_socket) {
  auto [writer, from] = tcp_pair();
  auto [to, reader] = tcp_pair();
  expect_all_to_pass(writer, from, to, reader);
}

TEST(splicer, everything_passes_through_unix_sockets_and_pipes) {
  auto [writer, from] = stream_socket::pair();
  auto [out, in] = make_pipe();
  expect_all_to_pass(writer, from, in, out);
  auto [second_out, second_in] = make_pipe();
  auto [to, reader] = stream_socket::pair();
  expect_all_to_pass(second_in, second_out, to, reader);
}

TEST(splicer, what_is_no_stream_of_the_system_s_own_is_refused) {
  static_assert(spliceable<stream_socket, stream_socket> && spliceable<pipe_reader, pipe_writer>);
  static_assert(!spliceable<datagram_socket, stream_socket> && !spliceable<stream_socket, listener>);
  static_assert(!spliceable<pipe_writer, stream_socket> && !spliceable<stream_socket, pipe_reader>);
}

struct between : testing::Test {
  std::pair<stream_socket, stream_socket> near = stream_socket::pair();
  std::pair<stream_socket, stream_socket> far = stream_socket::pair();
  stream_socket& writer = near.first;
  stream_socket& from = near.second;
  stream_socket& to = far.first;
  stream_socket& reader = far.second;
  splicer s;
};

TEST_F(between, no_more_than_asked_for) {
  writer.write_all("abcdef");
  EXPECT_EQ(s.splice_some(from, to, 2), 2U);
  EXPECT_EQ(s.splice_some(from, to, 0), 0U);
  EXPECT_EQ(s.splice_some(from, to), 4U);
  char room[8];
  EXPECT_EQ(std::string_view(room, reader.read_some(room)), "abcdef");
}

TEST_F(between, waits_no_longer_than_told_and_can_be_cancelled) {
  expect_given_up("splice_some", [&](deadline by) { return !failure([&] { s.splice_some(from, to, 10, by); }); });
  EXPECT_TRUE(cancels([&] { s.splice_all(from, to); }));
  std::error_code ec;
  EXPECT_EQ(s.splice_all(from, to, ec, 0s), 0U);
  EXPECT_EQ(ec, io_errc::timed_out);
}

TEST_F(between, what_was_taken_and_not_given_comes_first_afterwards) {
  WEFT_TEST_CLOCK(clock);
  const std::string sent = pattern(3'000'000);
  const fiber sender = spawn([&] {
    writer.write_all(sent);
    writer.shutdown();
  });
  std::error_code ec;
  const std::uint64_t given = s.splice_all(from, to, ec, 1min);
  EXPECT_EQ(ec, io_errc::timed_out) << "nobody reads";
  EXPECT_GT(s.pending(), 0U);
  EXPECT_TRUE(cancels([&] { s.splice_all(from, to); }));
  const task<std::string> received = spawn([&] { return read_all(reader); });
  EXPECT_LE(s.splice_all(from, to), sent.size() - given);
  to.shutdown();
  EXPECT_TRUE(received.get() == sent);
}

TEST_F(between, errors_of_either_side) {
  writer.write_all("x");
  reader.close();
  EXPECT_EQ(failure([&] { s.splice_some(from, to); }), std::errc::broken_pipe);
  EXPECT_EQ(s.pending(), 1U);
  to.close();
  EXPECT_EQ(failure([&] { s.splice_some(from, to); }), std::error_code(EBADF, std::system_category()));
  splicer fresh;
  from.close();
  EXPECT_EQ(failure([&] { fresh.splice_some(from, to); }), std::error_code(EBADF, std::system_category()));
}

TEST_F(between, a_close_wakes_who_waits) {
  const task<> relay = spawn([&] { s.splice_all(from, to); });
  settle();
  from.close();
  EXPECT_EQ(failure([&] { relay.get(); }), std::error_code(EBADF, std::system_category()));
}

TEST_F(between, what_the_kernel_cannot_splice_is_an_error) {
  char name[] = "/tmp/weft-splicer-XXXXXX";
  const int file = mkostemp(name, O_APPEND | O_CLOEXEC);
  ASSERT_GE(file, 0);
  unlink(name);
  pipe_writer appending(file);
  writer.write_all("x");
  EXPECT_EQ(failure([&] { s.splice_some(from, appending); }), std::errc::invalid_argument);
  EXPECT_EQ(s.splice_some(from, to), 1U) << "it was kept";
}

}  // namespace
}  // namespace weft
