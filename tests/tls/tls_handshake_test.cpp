// SPDX-License-Identifier: MIT
// Who talks with whom: certificates, names, protocols.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "tests/tls/support.hpp"
#include "weft/unique_fd.hpp"

namespace weft {
namespace {

using namespace test;

struct tls_handshake : tls_test {
  std::error_code refusal(const std::string& host = "site.example") {
    return failure([&] { line(host); });
  }
};

std::error_code certificate_error(int code) { return {code, certificate_category()}; }

TEST_F(tls_handshake, both_sides_know_what_was_agreed_on) {
  client.alpn({"h2", "http/1.1"});
  server.alpn({"http/1.1"});
  auto [c, s] = line();
  EXPECT_EQ(c.version(), "TLSv1.3");
  EXPECT_EQ(c.cipher(), s.cipher());
  EXPECT_EQ(c.alpn(), "http/1.1");
  EXPECT_EQ(s.alpn(), "http/1.1");
  EXPECT_EQ(s.server_name(), "site.example");
  EXPECT_EQ(c.peer_certificate(), site().pem());
  EXPECT_EQ(s.peer_certificate(), "");
}

TEST_F(tls_handshake, the_server_must_have_the_name) {
  EXPECT_EQ(refusal("a.wild.example"), std::error_code());
  EXPECT_EQ(refusal("127.0.0.1"), std::error_code());
  EXPECT_EQ(refusal("other.example"), certificate_error(X509_V_ERR_HOSTNAME_MISMATCH));
  EXPECT_NE(server_failure, std::error_code()) << "the server is told";
  EXPECT_EQ(refusal("127.0.0.2"), certificate_error(X509_V_ERR_IP_ADDRESS_MISMATCH));
  EXPECT_EQ(refusal("a.b.wild.example"), certificate_error(X509_V_ERR_HOSTNAME_MISMATCH));
}

TEST_F(tls_handshake, the_authority_must_be_trusted) {
  client = tls_context::client();
  EXPECT_EQ(refusal().category(), certificate_category());
  client.verify(tls_verify::none);
  EXPECT_EQ(refusal("other.example"), std::error_code());
  EXPECT_EQ(refusal(""), std::error_code());
}

TEST_F(tls_handshake, who_verifies_says_whom) { EXPECT_EQ(refusal(""), tls_errc::no_name); }

TEST_F(tls_handshake, a_server_may_want_to_see_a_certificate) {
  server.trust(authority().pem()).verify(tls_verify::peer);
  EXPECT_EQ(refusal(), std::error_code());
  server.verify(tls_verify::required);
  refusal();
  EXPECT_EQ(server_failure.category(), openssl_category());
  const identity user("DNS:user.example", &authority());
  client.certificate(user.pem(), user.key_pem());
  auto [c, s] = line();
  EXPECT_EQ(s.peer_certificate(), user.pem());
  const identity stranger("DNS:user.example");
  client.certificate(stranger.pem(), stranger.key_pem());
  refusal();
  EXPECT_EQ(server_failure.category(), certificate_category());
}

TEST_F(tls_handshake, without_a_common_protocol_there_is_no_line) {
  server.alpn({"h2"});
  EXPECT_EQ(refusal(), std::error_code()) << "the client names none";
  client.alpn({"http/1.1"});
  EXPECT_EQ(refusal().category(), openssl_category());
}

TEST_F(tls_handshake, versions_below_the_minimum_are_refused) {
  SSL_CTX_set_max_proto_version(client.native_handle(), TLS1_2_VERSION);
  EXPECT_EQ(line().first.version(), "TLSv1.2");
  server.minimum(tls_version::tls_1_3);
  EXPECT_EQ(refusal().category(), openssl_category());
}

TEST_F(tls_handshake, a_server_may_have_several_names) {
  const identity other("DNS:other.example", &authority());
  tls_context second = tls_context::server();
  second.certificate(other.pem(), other.key_pem());
  std::vector<std::string> asked;
  server.on_server_name([&](std::string_view name) -> std::optional<tls_context> {
    asked.emplace_back(name);
    if (name == "broken.example") throw std::runtime_error("no idea");
    return name == "other.example" ? std::optional(second) : std::nullopt;
  });
  EXPECT_EQ(line("other.example").first.peer_certificate(), other.pem());
  EXPECT_EQ(line("site.example").first.peer_certificate(), site().pem());
  EXPECT_EQ(line("127.0.0.1").first.peer_certificate(), site().pem());
  EXPECT_EQ(refusal("broken.example").category(), openssl_category());
  EXPECT_EQ(asked, (std::vector<std::string>{"other.example", "site.example", "", "broken.example"}));
  second.trust(authority().pem()).verify(tls_verify::required);
  refusal("other.example");
  EXPECT_NE(server_failure, std::error_code()) << "and its own rules";
}

TEST_F(tls_handshake, certificates_come_from_files_too) {
  const std::string name = testing::TempDir() + "weft_tls_" + std::to_string(getpid());
  std::ofstream(name + ".pem") << site().pem();
  std::ofstream(name + ".key") << site().key_pem();
  std::ofstream(name + ".ca") << authority().pem();
  client = tls_context::client();
  client.trust_file(name + ".ca");
  server = tls_context::server();
  server.certificate_files(name + ".pem", name + ".key");
  EXPECT_EQ(refusal(), std::error_code());
  for (const char* end : {".pem", ".key", ".ca"}) std::remove((name + end).c_str());
  EXPECT_EQ(failure([&] { server.certificate_files(name + ".pem", name + ".key"); }),
            std::error_code(ENOENT, std::system_category()));
  EXPECT_NE(failure([&] { client.trust_file(name + ".ca"); }), std::error_code());
}

TEST_F(tls_handshake, what_is_no_certificate_is_refused) {
  const auto code = [&](const std::string& chain, const std::string& key) {
    return failure([&] { server.certificate(chain, key); });
  };
  const identity other("DNS:other.example");
  EXPECT_EQ(code("", "").category(), openssl_category());
  EXPECT_EQ(code("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "").category(), openssl_category());
  EXPECT_EQ(code(site().pem(), other.key_pem()).category(), openssl_category()) << "not the key of it";
  EXPECT_EQ(code(site().pem(), site().key_pem("secret")).category(), openssl_category()) << "nobody is asked for it";
  EXPECT_EQ(failure([&] { client.trust("nonsense"); }).category(), openssl_category());
  EXPECT_EQ(failure([&] { client.alpn({"http/1.1", ""}); }), std::errc::invalid_argument);
  EXPECT_EQ(failure([&] { client.alpn({std::string(256, 'x')}); }), std::errc::invalid_argument);
}

TEST_F(tls_handshake, waits_no_longer_than_told) {
  auto [near, far] = stream_socket::pair();
  stream_socket other = std::move(far);
  EXPECT_EQ(failure([&, &mine = near] { tls_stream::client(std::move(mine), client, "site.example", 1ms); }),
            io_errc::timed_out);
  std::string sent(16, '\0');
  EXPECT_EQ(other.read_some(sent), 16U);
  EXPECT_EQ(sent[0], 22) << "a handshake record";
}

TEST_F(tls_handshake, can_be_cancelled) {
  auto [near, far] = stream_socket::pair();
  stream_socket quiet = std::move(far);
  EXPECT_TRUE(cancels([&, &mine = near] { tls_stream::client(std::move(mine), client, "site.example"); }));
  EXPECT_FALSE(near.is_open());
}

TEST_F(tls_handshake, a_peer_that_speaks_something_else_is_refused) {
  auto [near, far] = stream_socket::pair();
  far.write_all("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(failure([&, &mine = near] { tls_stream::server(std::move(mine), server); }).category(), openssl_category());
  auto [left, right] = stream_socket::pair();
  right.close();
  EXPECT_NE(failure([&, &mine = left] { tls_stream::client(std::move(mine), client, "site.example"); }),
            std::error_code());
}

}  // namespace
}  // namespace weft
