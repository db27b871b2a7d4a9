// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "tests/io/support.hpp"
#include "tests/tls/certificates.hpp"
#include "weft/fiber.hpp"
#include "weft/stream_socket.hpp"
#include "weft/tls_stream.hpp"

namespace weft::test {

/// A client that trusts an authority, and a server that has a certificate of it.
struct tls_test : testing::Test {
  tls_test() {
    client.trust(authority().pem());
    server.certificate(site().pem() + authority().pem(), site().key_pem());
  }
  // Reading the system's authorities would take most of the time.
  static void SetUpTestSuite() {
    setenv("SSL_CERT_FILE", "/nonexistent", 1);
    setenv("SSL_CERT_DIR", "/nonexistent", 1);
  }
  static const identity& authority() {
    static const identity made("");
    return made;
  }
  static const identity& site() {
    static const identity made("DNS:site.example,DNS:*.wild.example,IP:127.0.0.1", &authority());
    return made;
  }

  /// Both ends of a line, after the handshake; what the server's threw goes to `server_failure`.
  std::pair<tls_stream, tls_stream> line(const std::string& host = "site.example") {
    auto [near, far] = stream_socket::pair();
    tls_stream at_server;
    server_failure.clear();
    auto accepting = spawn([&, s = std::move(far)]() mutable {
      server_failure = failure([&] { at_server = tls_stream::server(std::move(s), server); });
    });
    struct joined {
      decltype(accepting)& f;
      ~joined() { f.join(); }
    };
    tls_stream at_client;
    {
      const joined both{accepting};
      at_client = tls_stream::client(std::move(near), client, host);
    }
    return {std::move(at_client), std::move(at_server)};
  }

  tls_context client = tls_context::client();
  tls_context server = tls_context::server();
  std::error_code server_failure;
};

}  // namespace weft::test
