// SPDX-License-Identifier: MIT
// What goes over a line that stands.
#include "weft/tls_stream.hpp"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <array>
#include <string>
#include <thread>

#include "tests/tls/support.hpp"
#include "weft/run.hpp"

namespace weft {
namespace {

using namespace test;

const std::error_code closed(EBADF, std::system_category());

struct tls_line : tls_test {
  void connect() {
    std::pair<tls_stream, tls_stream> both = line();
    c = std::move(both.first);
    s = std::move(both.second);
  }
  // Lets OpenSSL begin something that the other side must answer, without waiting for it.
  static void begin(tls_stream& at, int (*what)(SSL*)) {
    ASSERT_EQ(what(at.native_handle()), 1);
    std::error_code ec;
    at.write_some("!", ec, 60s);
    ASSERT_FALSE(ec) << ec.message();
  }
  tls_stream c, s;
};

std::string bytes(std::size_t count, int seed) {
  std::string text(count, '\0');
  for (std::size_t i = 0; i < count; ++i) text[i] = static_cast<char>((i + static_cast<std::size_t>(seed)) * 131 >> 3);
  return text;
}

std::string read_exactly(tls_stream& from, std::size_t count) {
  std::string text(count, '\0');
  from.read_exactly(text, 60s);
  return text;
}

// One writes and one reads on each side, at once.
void exchange(tls_stream& a, tls_stream& b, std::size_t count) {
  const std::string there = bytes(count, 1), back = bytes(count, 2);
  auto one = spawn([&] { a.write_all(there, 60s); });
  auto two = spawn([&] { b.write_all(back, 60s); });
  auto three = spawn([&] { EXPECT_EQ(read_exactly(b, count), there); });
  EXPECT_EQ(read_exactly(a, count), back);
  one.get();
  two.get();
  three.get();
}

TEST_F(tls_line, bytes_go_both_ways_at_once) {
  connect();
  exchange(c, s, 1'000'000);
}

TEST_F(tls_line, a_handshake_in_the_midst_holds_up_nobody) {
  for (tls_context* context : {&client, &server}) {
    SSL_CTX_set_max_proto_version(context->native_handle(), TLS1_2_VERSION);
  }
  connect();
  for (int round = 0; round < 3; ++round) {
    begin(s, SSL_renegotiate);
    EXPECT_EQ(read_exactly(c, 1), "!");
    exchange(c, s, 200'000);
  }
}

TEST_F(tls_line, new_keys_in_the_midst_hold_up_nobody) {
  connect();
  for (tls_stream* at : {&s, &c}) {
    begin(*at, [](SSL* ssl) { return SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED); });
    EXPECT_EQ(read_exactly(at == &s ? c : s, 1), "!");
    exchange(c, s, 200'000);
  }
}

TEST_F(tls_line, an_answer_that_cannot_be_sent_does_not_stop_the_reader) {
  connect();
  // The client is stuck in a write, so that what its reader has to send cannot go out yet.
  const std::string much = bytes(2'000'000, 3);
  auto stuck = spawn([&] { c.write_all(much, 60s); });
  settle();
  for (int i = 0; i < 20; ++i) begin(s, [](SSL* ssl) { return SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED); });
  EXPECT_EQ(read_exactly(c, 20), std::string(20, '!'));
  EXPECT_FALSE(stuck.ready());
  EXPECT_EQ(read_exactly(s, much.size()), much);
  stuck.get();
}

// A fiber sends what a reader cannot; the next reader has another one do it if a run has ended that one.
TEST_F(tls_line, answers_go_out_also_after_a_run_that_did_not_wait_for_it) {
  connect();
  const std::string much = bytes(4'000'000, 8);
  std::size_t sent = 0;
  const auto answer_on_a_full_line = [&] {
    std::error_code ec;
    sent += c.write_all(const_buffer(much) + sent, ec, 1ms);
    ASSERT_EQ(ec, io_errc::timed_out);
    begin(s, [](SSL* ssl) { return SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED); });
    EXPECT_EQ(read_exactly(c, 1), "!");
  };
  weft::run({.hubs = 1}, answer_on_a_full_line);
  answer_on_a_full_line();
  EXPECT_EQ(read_exactly(s, sent), much.substr(0, sent)) << "the last record was left to the fiber, too";
}

TEST_F(tls_line, several_places_are_one_record) {
  connect();
  const std::array<const_buffer, 4> parts{const_buffer("GET "), const_buffer(), const_buffer("/"),
                                          const_buffer("\r\n")};
  EXPECT_EQ(c.write_some(parts), 7U);
  char first[3], rest[100];
  const std::array<mutable_buffer, 3> places{mutable_buffer(), mutable_buffer(first), mutable_buffer(rest)};
  EXPECT_EQ(s.read_some(places), 3U);
  EXPECT_EQ(s.read_some(rest), 4U);
  const std::string long_one = bytes(50'000, 4);
  auto writer = spawn([&] { c.write_all(std::array{const_buffer(long_one), const_buffer("end")}); });
  EXPECT_EQ(read_exactly(s, 50'003), long_one + "end");
  writer.get();
}

TEST_F(tls_line, no_room_and_no_bytes_are_no_call) {
  connect();
  EXPECT_EQ(c.read_some(mutable_buffer()), 0U);
  EXPECT_EQ(c.write_some(""), 0U);
  EXPECT_EQ(c.write_some(std::span<const const_buffer>()), 0U);
}

TEST_F(tls_line, shutdown_is_the_end_for_the_reader_alone) {
  connect();
  c.write_all("last");
  c.shutdown();
  EXPECT_EQ(read_exactly(s, 4), "last");
  char room[8];
  EXPECT_EQ(s.read_some(room), 0U);
  EXPECT_EQ(s.read_some(room), 0U) << "and again";
  s.write_all("answer");
  EXPECT_EQ(read_exactly(c, 6), "answer");
  EXPECT_EQ(failure([&] { c.write_all("more"); }), std::errc::broken_pipe);
}

TEST_F(tls_line, an_end_without_a_shutdown_is_an_error) {
  connect();
  s.write_all("x");
  EXPECT_EQ(read_exactly(c, 1), "x");  // else what was not read would make it a reset
  c.write_all("cut");
  c.close();
  EXPECT_EQ(read_exactly(s, 3), "cut");
  char room[8];
  EXPECT_EQ(failure([&] { s.read_some(room); }), tls_errc::truncated);
}

TEST_F(tls_line, deadlines_hold_and_lose_nothing) {
  connect();
  char room[8];
  EXPECT_EQ(failure([&] { c.read_some(room, 1ms); }), io_errc::timed_out);
  EXPECT_EQ(failure([&] { c.read_some(room, deadline::from_ns(1)); }), io_errc::timed_out);
  // What was accepted before the deadline is what arrives.
  const std::string much = bytes(4'000'000, 5);
  std::error_code ec;
  const std::size_t sent = c.write_all(much, ec, 5ms);
  EXPECT_EQ(ec, io_errc::timed_out);
  EXPECT_LT(sent, much.size());
  auto rest = spawn([&] {
    c.write_all(const_buffer(much) + sent);
    c.shutdown();
  });
  EXPECT_EQ(read_exactly(s, much.size()), much);
  EXPECT_EQ(s.read_some(room), 0U);
  rest.get();
  EXPECT_EQ(failure([&] { s.shutdown(deadline::from_ns(1)); }), std::error_code()) << "needs no wait";
}

TEST_F(tls_line, every_wait_can_be_cancelled) {
  connect();
  char room[8];
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(cancels([&] { c.read_some(room); }));
  s.write_all("x");
  EXPECT_EQ(c.read_some(room), 1U) << "the cancelled read took nothing";
  const std::string much(4'000'000, 'x');
  EXPECT_TRUE(cancels([&] { c.write_all(much); }));
  EXPECT_TRUE(cancels([&] { c.write_some("y"); })) << "what went before goes first";
  EXPECT_TRUE(cancels([&] { c.shutdown(); }));
}

TEST_F(tls_line, a_close_wakes_who_waits) {
  connect();
  char room[8];
  auto reader = spawn([&] { EXPECT_EQ(failure([&] { c.read_some(room); }), closed); });
  auto second = spawn([&] { EXPECT_EQ(failure([&] { c.read_some(room); }), closed); });
  settle();
  c.close();
  reader.get();
  second.get();
  EXPECT_FALSE(c.is_open());
  c.close();
  EXPECT_EQ(failure([&] { c.write_some("x"); }), closed);
  EXPECT_EQ(failure([&] { c.read_some(room); }), closed);
  EXPECT_EQ(failure([&] { c.shutdown(); }), closed);
}

TEST_F(tls_line, one_that_was_never_made_is_closed) {
  char room[8];
  EXPECT_FALSE(c.is_open());
  EXPECT_EQ(failure([&] { c.read_some(room); }), closed);
  EXPECT_EQ(failure([&] { c.write_some("x"); }), closed);
  EXPECT_EQ(failure([&] { c.shutdown(); }), closed);
  EXPECT_EQ(c.version() + c.cipher() + c.alpn() + c.server_name() + c.peer_certificate(), "");
  EXPECT_EQ(c.native_handle(), nullptr);
  c.close();
}

TEST_F(tls_line, reader_and_writer_may_be_of_different_hubs) {
  connect();
  const std::string there = bytes(500'000, 6), back = bytes(500'000, 7);
  std::thread elsewhere([&] {
    auto writing = spawn([&] { s.write_all(back, 60s); });
    c.write_all(there, 60s);
    writing.get();
  });
  auto reading = spawn([&] { EXPECT_EQ(read_exactly(s, there.size()), there); });
  EXPECT_EQ(read_exactly(c, back.size()), back);
  reading.get();
  elsewhere.join();
}

}  // namespace
}  // namespace weft
