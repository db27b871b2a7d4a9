// SPDX-License-Identifier: MIT
#include "weft/stream_socket.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <numeric>
#include <string>
#include <vector>

#include "tests/io/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/listener.hpp"
#include "weft/test_clock.hpp"

namespace weft {
namespace {

using namespace test;

std::string bytes(std::size_t count) {
  std::string text(count, '\0');
  for (std::size_t i = 0; i < count; ++i) text[i] = static_cast<char>(i * 131 >> 3);
  return text;
}

std::string read_all(stream_socket& s, std::size_t chunk = 1000) {
  std::string all;
  std::vector<char> room(chunk);
  while (const std::size_t n = s.read_some(room)) all.append(room.data(), n);
  return all;
}

struct connected : testing::Test {
  void tiny_buffers() {
    for (stream_socket* s : {&a, &b}) {
      s->set(socket_options::send_buffer, 1);
      s->set(socket_options::receive_buffer, 1);
    }
  }
  std::pair<stream_socket, stream_socket> both = stream_socket::pair();
  stream_socket& a = both.first;
  stream_socket& b = both.second;
};

TEST_F(connected, bytes_go_both_ways_until_the_end) {
  const fiber echo = spawn([this] {
    char room[16];
    while (const std::size_t n = b.read_some(room)) b.write_all({room, n});
    b.shutdown();
  });
  a.write_all("hello");
  char room[16];
  EXPECT_EQ(a.read_some(room), 5U);
  EXPECT_EQ(std::string(room, 5), "hello");
  a.shutdown();
  EXPECT_EQ(a.read_some(room), 0U);
  EXPECT_EQ(a.read_some(room), 0U) << "and again";
  echo.join();
}

TEST_F(connected, a_short_read_waits_for_what_comes_next) {
  char room[4];
  for (int i = 0; i < 100; ++i) {
    a.write_all(std::string_view(i % 3 == 0 ? "full" : "x"));
    EXPECT_EQ(b.read_some(room), i % 3 == 0 ? 4U : 1U);
  }
  a.write_all("12345");
  EXPECT_EQ(b.read_some(room), 4U);
  EXPECT_EQ(b.read_some(room), 1U);
}

TEST_F(connected, much_passes_through_small_buffers) {
  tiny_buffers();
  const std::string sent = bytes(1'000'000);
  const fiber writer = spawn([&] {
    a.write_all(sent);
    a.close();
  });
  EXPECT_EQ(read_all(b, 777), sent);
  writer.join();
}

TEST_F(connected, several_places_are_one_call) {
  const std::array<const_buffer, 4> out{const_buffer("GET "), const_buffer(), const_buffer("/ HTTP/1.1"),
                                        const_buffer("\r\n")};
  EXPECT_EQ(a.write_some(out), 16U);
  char first[3], second[5], third[20];
  const std::array<mutable_buffer, 3> in{mutable_buffer(first), mutable_buffer(second), mutable_buffer(third)};
  EXPECT_EQ(b.read_some(in), 16U);
  EXPECT_EQ(std::string(first, 3) + std::string(second, 5) + std::string(third, 8), "GET / HTTP/1.1\r\n");

  tiny_buffers();
  const std::string one = bytes(997);
  const std::vector<const_buffer> many(200, const_buffer(one));
  std::string whole;
  for (int i = 0; i < 200; ++i) whole += one;
  const fiber writer = spawn([&] {
    a.write_all(many);
    a.shutdown();
  });
  EXPECT_EQ(read_all(b), whole);
  writer.join();
  a.write_all(std::span<const const_buffer>());
}

TEST_F(connected, no_room_and_no_bytes_are_no_call) {
  char room[1];
  EXPECT_EQ(a.read_some(mutable_buffer(room, 0)), 0U);
  EXPECT_EQ(a.write_some(const_buffer("")), 0U);
  EXPECT_EQ(a.read_some(std::span<const mutable_buffer>()), 0U);
  a.read_exactly(mutable_buffer(room, 0));
  a.write_all("");
}

TEST_F(connected, an_exact_read_gathers_the_parts_and_tells_an_early_end) {
  const fiber writer = spawn([this] {
    for (const char* part : {"ab", "cde", "f", "gh"}) {
      a.write_all(std::string_view(part));
      this_fiber::yield();
    }
    a.close();
  });
  char room[6];
  b.read_exactly(room);
  EXPECT_EQ(std::string(room, 6), "abcdef");
  std::error_code ec;
  EXPECT_EQ(b.read_exactly(room, ec), 2U);
  EXPECT_EQ(ec, io_errc::end_of_stream);
  EXPECT_EQ(failure([&] { b.read_exactly(room); }), io_errc::end_of_stream);
  writer.join();
}

TEST_F(connected, lines_are_read_one_by_one) {
  const fiber writer = spawn([this] {
    for (const char* part : {"one\r", "\ntwo\r\nthr", "ee\r\n\r\nrest"}) {
      a.write_all(std::string_view(part));
      settle();
    }
    a.close();
  });
  std::string buffer;
  std::vector<std::string> lines;
  for (int i = 0; i < 4; ++i) {
    const std::size_t length = b.read_until(buffer, "\r\n");
    lines.push_back(buffer.substr(0, length));
    buffer.erase(0, length);
  }
  EXPECT_THAT(lines, testing::ElementsAre("one\r\n", "two\r\n", "three\r\n", "\r\n"));
  EXPECT_EQ(failure([&] { b.read_until(buffer, "\r\n"); }), io_errc::end_of_stream);
  EXPECT_EQ(buffer, "rest");
  EXPECT_EQ(b.read_until(buffer, "re"), 2U);
  EXPECT_EQ(b.read_until(buffer, ""), 0U);
  writer.join();
}

TEST_F(connected, a_line_has_a_limit) {
  a.write_all(std::string(100, 'x'));
  std::string buffer;
  EXPECT_EQ(failure([&] { b.read_until(buffer, "\n", 64); }), io_errc::too_long);
  EXPECT_EQ(buffer.size(), 64U) << "no more than the limit is read";
  EXPECT_EQ(failure([&] { b.read_until(buffer, "\n", 10); }), io_errc::too_long);
  a.write_all("\n");
  EXPECT_EQ(b.read_until(buffer, "\n", 101), 101U);
}

TEST_F(connected, one_deadline_holds_for_a_whole_write) {
  WEFT_TEST_CLOCK(clock);
  tiny_buffers();
  const std::string much = bytes(1'000'000);
  std::error_code ec;
  const std::size_t went = a.write_all(much, ec, 5min);
  EXPECT_EQ(ec, io_errc::timed_out);
  EXPECT_GT(went, 0U);
  EXPECT_LT(went, much.size());
  a.close();
  EXPECT_EQ(read_all(b), much.substr(0, went)) << "what went is what it said";

  // A reader that takes a byte now and then does not prolong it.
  auto [c, d] = stream_socket::pair();
  c.set(socket_options::send_buffer, 1);
  bool done = false;
  const fiber slow = spawn([&done, &in = d] {
    char one[1];
    while (!done && in.read_some(one) == 1) this_fiber::sleep_for(1min);
  });
  EXPECT_EQ(failure([&much, &out = c] { out.write_all(much, 20min); }), io_errc::timed_out);
  EXPECT_EQ(clock.elapsed(), 25min);
  done = true;
  c.close();
  slow.join();
}

TEST_F(connected, one_deadline_holds_for_a_whole_read) {
  WEFT_TEST_CLOCK(clock);
  const fiber dripping = spawn([this] {
    std::error_code ec;
    while (!ec) {
      a.write_all("x", ec);
      this_fiber::sleep_for(1min);
    }
  });
  std::vector<char> room(1'000'000);
  std::error_code ec;
  const std::size_t came = b.read_exactly(room, ec, 10min);
  EXPECT_EQ(ec, io_errc::timed_out);
  EXPECT_LT(came, room.size());
  std::string buffer;
  EXPECT_EQ(failure([&] { b.read_until(buffer, "\n", 10min); }), io_errc::timed_out);
  b.close();
  dripping.join();
}

TEST_F(connected, a_passed_deadline_still_does_what_needs_no_wait) {
  const deadline passed = deadline::from_ns(1);
  char room[8];
  EXPECT_EQ(failure([&] { b.read_some(room, passed); }), io_errc::timed_out);
  a.write_all("abc", passed);
  EXPECT_EQ(b.read_some(room, passed), 3U);
  a.write_all("d");  // behind a short read, which makes the next one wait first
  EXPECT_EQ(b.read_some(room, passed), 1U);
  EXPECT_EQ(failure([&] { b.read_some(room, passed); }), io_errc::timed_out);
}

TEST_F(connected, a_cancelled_read_takes_nothing) {
  char room[8];
  EXPECT_TRUE(cancels([&] { b.read_some(room); }));
  a.write_all("abc");
  EXPECT_EQ(b.read_some(room), 3U);
  EXPECT_TRUE(cancels([&] { b.read_some(room); })) << "waiting before the try";
  a.write_all("de");
  EXPECT_EQ(b.read_some(room), 2U);
}

TEST_F(connected, looking_takes_nothing) {
  a.write_all("abc");
  char room[8];
  EXPECT_EQ(b.peek_some(room), 3U);
  EXPECT_EQ(b.peek_some(mutable_buffer(room, 2)), 2U);
  EXPECT_EQ(b.read_some(room), 3U);
  EXPECT_EQ(failure([&] { b.peek_some(room, 1ms); }), io_errc::timed_out);
}

TEST_F(connected, a_peer_that_has_gone_is_an_error_and_no_signal) {
  b.close();
  EXPECT_EQ(failure([&] { a.write_all("x"); }), std::errc::broken_pipe);
  const std::array<const_buffer, 2> two{const_buffer("x"), const_buffer("y")};
  EXPECT_EQ(failure([&] { a.write_all(two); }), std::errc::broken_pipe);
  const unique_fd file(memfd_create("f", MFD_CLOEXEC));
  ASSERT_EQ(write(file.get(), "abc", 3), 3);
  EXPECT_EQ(failure([&] { a.send_file(file.get(), 0, 3); }), std::errc::broken_pipe);
}

TEST_F(connected, files_are_sent) {
  tiny_buffers();
  const unique_fd file(memfd_create("f", MFD_CLOEXEC));
  const std::string content = bytes(300'000);
  ASSERT_EQ(write(file.get(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
  const fiber writer = spawn([&] {
    EXPECT_EQ(a.send_file(file.get(), 1'000, 200'000), 200'000U);
    EXPECT_EQ(a.send_file(file.get(), 299'990, 100), 10U) << "the file ends";
    EXPECT_EQ(a.send_file(file.get(), 400'000, 100), 0U);
    EXPECT_EQ(failure([&] { a.send_file(-1, 0, 1); }), std::errc::bad_file_descriptor);
    a.close();
  });
  EXPECT_EQ(read_all(b), content.substr(1'000, 200'000) + content.substr(299'990));
  writer.join();
}

TEST(stream_socket, a_sent_file_has_a_deadline) {
  auto [a, b] = stream_socket::pair();
  a.set(socket_options::send_buffer, 1);
  const unique_fd file(memfd_create("f", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file.get(), 10'000'000), 0);
  std::error_code ec;
  const std::uint64_t went = a.send_file(file.get(), 0, 10'000'000, ec, 2ms);
  EXPECT_EQ(ec, io_errc::timed_out);
  a.close();
  EXPECT_EQ(read_all(b).size(), went);
}

TEST(stream_socket, what_is_taken_over_must_be_one) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  {
    stream_socket s(ends[0]);
    EXPECT_EQ(s.native_handle(), ends[0]);
    EXPECT_NE(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(s.release(), ends[0]);
    EXPECT_FALSE(s.is_open());
    EXPECT_EQ(s.release(), -1);
  }
  EXPECT_EQ(write(ends[0], "x", 1), 1) << "given away, not closed";
  close(ends[0]);
  close(ends[1]);
  int datagrams[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams), 0);
  EXPECT_EQ(failure([&] { stream_socket s(datagrams[0]); }), std::errc::wrong_protocol_type);
  close(datagrams[0]);
  close(datagrams[1]);
  const unique_fd file(memfd_create("f", MFD_CLOEXEC));
  EXPECT_EQ(failure([&] { stream_socket s(file.get()); }), std::errc::not_a_socket);
  EXPECT_EQ(fcntl(file.get(), F_GETFL) & O_NONBLOCK, 0) << "it stays the caller's, as it was";
  EXPECT_EQ(failure([] { stream_socket s(-1); }), std::errc::bad_file_descriptor);
}

TEST(stream_socket, what_is_closed_answers_so) {
  stream_socket s;
  char room[1];
  EXPECT_FALSE(s.is_open());
  EXPECT_EQ(s.native_handle(), -1);
  const auto bad = std::errc::bad_file_descriptor;
  EXPECT_EQ(failure([&] { s.read_some(room); }), bad);
  EXPECT_EQ(failure([&] { s.write_all("x"); }), bad);
  EXPECT_EQ(failure([&] { s.shutdown(); }), bad);
  EXPECT_EQ(failure([&] { static_cast<void>(s.local_address()); }), bad);
  EXPECT_EQ(failure([&] { s.set(socket_options::keep_alive, true); }), bad);
  EXPECT_EQ(failure([&] { static_cast<void>(s.get(socket_options::keep_alive)); }), bad);
  EXPECT_EQ(failure([&] { s.wait_readable(); }), bad);
  s.close();
  stream_socket moved = std::move(s);
  EXPECT_FALSE(moved);
}

}  // namespace
}  // namespace weft
