// SPDX-License-Identifier: MIT
// Handshakes that are shortened by what is known of earlier ones, and those that report by an error code.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <string>

#include "tests/tls/support.hpp"

namespace weft {
namespace {

using namespace test;

struct tls_resumption : tls_test {
  // A line on which the client has got what the server gives for the next one. @return whether it was itself resumed
  bool visit(const std::string& host = "site.example") {
    auto [c, s] = line(host);
    s.write_all("x");
    char room[1];
    c.read_exactly(room, 60s);
    EXPECT_EQ(c.resumed(), s.resumed());
    EXPECT_EQ(c.peer_certificate(), site().pem()) << "known also of a resumed one";
    return c.resumed();
  }
};

TEST_F(tls_resumption, nothing_is_kept_unasked) {
  EXPECT_FALSE(visit());
  EXPECT_FALSE(visit());
  EXPECT_FALSE(tls_stream().resumed());
}

TEST_F(tls_resumption, the_next_line_with_a_name_is_resumed) {
  client.resume(10);
  EXPECT_FALSE(visit());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(visit()) << i;
  EXPECT_FALSE(visit("a.wild.example")) << "of that one nothing is known";
  EXPECT_FALSE(visit("127.0.0.1"));
  EXPECT_TRUE(visit("127.0.0.1")) << "an address is a name, too";
  client.resume(0);
  EXPECT_FALSE(visit());
}

TEST_F(tls_resumption, a_ticket_is_shown_once) {
  client.resume(10);
  EXPECT_FALSE(visit());
  {
    const auto both = line();
    EXPECT_TRUE(both.first.resumed());  // its own tickets were never read
  }
  EXPECT_FALSE(visit());
}

TEST_F(tls_resumption, in_tls_1_2_too) {
  SSL_CTX_set_max_proto_version(client.native_handle(), TLS1_2_VERSION);
  client.resume(10);
  EXPECT_FALSE(visit());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(visit()) << i;
}

TEST_F(tls_resumption, no_more_names_than_told_are_remembered) {
  client.resume(1);
  EXPECT_FALSE(visit());
  EXPECT_FALSE(visit("a.wild.example"));
  EXPECT_FALSE(visit());
  EXPECT_TRUE(visit());
}

TEST_F(tls_resumption, a_server_that_knows_nothing_of_it_shakes_hands_as_ever) {
  client.resume(10);
  EXPECT_FALSE(visit());
  server = tls_context::server();
  server.certificate(site().pem() + authority().pem(), site().key_pem());
  EXPECT_FALSE(visit());
  EXPECT_TRUE(visit());
}

TEST_F(tls_resumption, a_server_that_verifies_its_clients_resumes_as_well) {
  server.trust(authority().pem()).verify(tls_verify::required);
  client.certificate(site().pem(), site().key_pem()).resume(10);
  EXPECT_FALSE(visit());
  EXPECT_TRUE(visit());
}

TEST_F(tls_resumption, what_was_not_verified_is_not_resumed_by_who_verifies) {
  client.resume(10).verify(tls_verify::none);
  EXPECT_FALSE(visit("other.example"));
  EXPECT_TRUE(visit("other.example"));
  client.verify(tls_verify::peer);
  EXPECT_EQ(failure([&] { line("other.example"); }),
            std::error_code(X509_V_ERR_HOSTNAME_MISMATCH, certificate_category()));
}

TEST_F(tls_resumption, without_a_name_nothing_is_kept) {
  client.resume(10).verify(tls_verify::none);
  EXPECT_FALSE(visit(""));
  EXPECT_FALSE(visit(""));
}

struct tls_codes : tls_test {};

TEST_F(tls_codes, a_failure_of_the_handshake_is_told_without_an_exception) {
  auto [near, far] = stream_socket::pair();
  std::error_code at_server, at_client;
  const fiber accepting = spawn([&, s = std::move(far)]() mutable {
    EXPECT_FALSE(tls_stream::server(std::move(s), server, at_server, 60s).is_open());
  });
  EXPECT_FALSE(tls_stream::client(std::move(near), client, "other.example", at_client, 60s).is_open());
  accepting.join();
  EXPECT_EQ(at_client, std::error_code(X509_V_ERR_HOSTNAME_MISMATCH, certificate_category()));
  EXPECT_EQ(at_server.category(), openssl_category()) << "the client's alert";
  tls_stream::client(std::move(stream_socket::pair().first), client, "", at_client);
  EXPECT_EQ(at_client, tls_errc::no_name);
  auto [quiet, peer] = stream_socket::pair();
  tls_stream::client(std::move(quiet), client, "site.example", at_client, 1ms);
  EXPECT_EQ(at_client, io_errc::timed_out);
}

TEST_F(tls_codes, a_success_clears_the_code) {
  auto [near, far] = stream_socket::pair();
  std::error_code at_server = tls_errc::truncated, at_client = tls_errc::truncated;
  const fiber accepting = spawn([&, s = std::move(far)]() mutable {
    EXPECT_TRUE(tls_stream::server(std::move(s), server, at_server, 60s).is_open());
  });
  const tls_stream c = tls_stream::client(std::move(near), client, "site.example", at_client, 60s);
  EXPECT_TRUE(c.is_open());
  accepting.join();
  EXPECT_FALSE(at_client || at_server) << at_client.message() << at_server.message();
}

}  // namespace
}  // namespace weft
