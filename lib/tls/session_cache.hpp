// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace weft::tls {

/// What a client keeps of its sessions with servers, by their names.
///
/// Threads   All of it from any. The lock is never held across a wait.
class session_cache {
 public:
  /// That of the context of @p ssl.
  static session_cache& of(SSL* ssl);

  void limit(std::size_t hosts);
  /// Has @p ssl, a client's before its handshake, show what there is of @p host, and keep what comes of it.
  void offer(SSL* ssl, const std::string& host);
  /// OpenSSL's callback for a session that may be resumed later. @return 0: it stays OpenSSL's
  static int keep(SSL* ssl, SSL_SESSION* session);

 private:
  struct release {
    void operator()(SSL_SESSION* s) const { SSL_SESSION_free(s); }
  };
  using session_ptr = std::unique_ptr<SSL_SESSION, release>;
  struct entry {
    session_ptr session;
    bool verified = false;  // the server had to prove its name
  };

  session_ptr take(const std::string& host, bool verifies);
  void put(const std::string& host, entry made);

  std::mutex lock_;
  std::size_t limit_ = 0;
  std::unordered_map<std::string, entry> all_;
};

}  // namespace weft::tls
