// SPDX-License-Identifier: MIT
// What the headers of TLS say of their misuse, as far as it is not in the tests of handshakes and lines.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/tls/support.hpp"

namespace weft {
namespace {

using namespace test;

const std::error_code closed(EBADF, std::system_category());

struct tls_misuse : tls_test {
  std::error_code refusal(const std::string& host = "site.example") {
    return failure([&] { line(host); });
  }
};

TEST_F(tls_misuse, a_context_that_was_moved_away) {
  const tls_context taken(std::move(server));
  EXPECT_EQ(server.native_handle(), nullptr);
  EXPECT_THROW(server.certificate(site().pem(), site().key_pem()), std::logic_error);
  EXPECT_THROW(server.certificate_files("/nonexistent", "/nonexistent"), std::logic_error);
  EXPECT_THROW(server.trust(site().pem()), std::logic_error);
  EXPECT_THROW(server.trust_file("/nonexistent"), std::logic_error);
  EXPECT_THROW(server.verify(tls_verify::none), std::logic_error);
  EXPECT_THROW(server.alpn({"h2"}), std::logic_error);
  EXPECT_THROW(server.minimum(tls_version::tls_1_3), std::logic_error);
  EXPECT_THROW(server.resume(1), std::logic_error);
  EXPECT_THROW(server.on_server_name({}), std::logic_error);
  auto [near, far] = stream_socket::pair();
  EXPECT_THROW(tls_stream::server(std::move(near), server), std::logic_error);
  std::error_code ec;
  EXPECT_THROW(tls_stream::client(std::move(far), server, "site.example", ec), std::logic_error);
  const tls_context copy_of_nothing = server;
  EXPECT_EQ(copy_of_nothing.native_handle(), nullptr);
  server = taken;
  EXPECT_EQ(refusal(), std::error_code());
}

TEST_F(tls_misuse, a_name_that_none_can_have) {
  EXPECT_EQ(refusal(std::string(256, 'x')), std::errc::invalid_argument);
  EXPECT_EQ(refusal(std::string("site.example\0.evil", 18)), std::errc::invalid_argument);
}

TEST_F(tls_misuse, protocols_that_are_too_many_and_none) {
  EXPECT_EQ(failure([&] { client.alpn(std::vector<std::string>(300, std::string(255, 'x'))); }),
            std::errc::invalid_argument);
  server.alpn({"h2"});
  client.alpn({"h2"});
  EXPECT_EQ(line().first.alpn(), "h2");
  client.alpn({});
  EXPECT_EQ(line().first.alpn(), "");
}

TEST_F(tls_misuse, texts_of_nothing) {
  EXPECT_NE(failure([&] { server.certificate({}, {}); }), std::error_code());
  EXPECT_NE(failure([&] { client.trust({}); }), std::error_code());
}

TEST_F(tls_misuse, a_chooser_that_is_empty_or_gives_nothing_of_use) {
  server.on_server_name([&](std::string_view) -> std::optional<tls_context> {
    tls_context made = tls_context::server();
    const tls_context taken(std::move(made));
    return made;  // NOLINT(bugprone-use-after-move)
  });
  EXPECT_EQ(refusal().category(), openssl_category());
  server.on_server_name({});
  EXPECT_EQ(refusal(), std::error_code());
}

TEST_F(tls_misuse, contexts_on_the_wrong_side) {
  std::swap(client, server);
  EXPECT_EQ(refusal().category(), openssl_category());
  EXPECT_NE(server_failure, std::error_code());
}

TEST_F(tls_misuse, a_server_without_a_certificate) {
  server = tls_context::server();
  EXPECT_EQ(refusal().category(), openssl_category());
  EXPECT_EQ(server_failure.category(), openssl_category());
}

TEST_F(tls_misuse, over_a_stream_that_is_closed) {
  EXPECT_EQ(failure([&] { tls_stream::client(stream_socket(), client, "site.example"); }), closed);
  EXPECT_EQ(failure([&] { tls_stream::server(stream_socket(), server); }), closed);
}

TEST_F(tls_misuse, a_stream_that_was_moved_away) {
  auto [c, s] = line();
  tls_stream from = std::move(c), taken = std::move(from);
  EXPECT_FALSE(from.is_open() || from.resumed());
  EXPECT_EQ(failure([&] { from.write_some("x"); }), closed);
  EXPECT_EQ(failure([&] { from.shutdown(); }), closed);
  EXPECT_EQ(from.version(), "");
  tls_stream& same = taken;
  taken = std::move(same);
  EXPECT_TRUE(taken.is_open());
}

TEST_F(tls_misuse, a_stream_destroyed_while_fibers_wait_in_it) {
  auto both = line();
  auto c = std::make_unique<tls_stream>(std::move(both.first));
  const std::string much(4'000'000, 'x');
  char room[1];
  auto reading = spawn([&] { return failure([&] { c->read_some(room); }); });
  auto second = spawn([&] { return failure([&] { c->read_some(room); }); });
  auto writing = spawn([&] { return failure([&] { c->write_some(much); }); });
  settle();
  c.reset();
  EXPECT_EQ(reading.get(1min), closed);
  EXPECT_EQ(second.get(1min), closed);
  EXPECT_TRUE(writing.join(1min));
}

}  // namespace
}  // namespace weft
