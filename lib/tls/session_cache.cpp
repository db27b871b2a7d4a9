// SPDX-License-Identifier: MIT
#include "tls/session_cache.hpp"

#include <utility>

namespace weft::tls {

namespace {

// The name that a client's stream was made for; it lives as long as that.
int name_index() {
  static const int index = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* held, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<std::string*>(held); });
  return index;
}

bool verifies(const SSL* ssl) { return (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0; }

}  // namespace

void session_cache::limit(std::size_t hosts) {
  const std::lock_guard guard(lock_);
  limit_ = hosts;
  if (all_.size() > hosts) all_.clear();
}

session_cache::session_ptr session_cache::take(const std::string& host, bool verifies) {
  const std::lock_guard guard(lock_);
  const auto found = all_.find(host);
  if (found == all_.end() || (verifies && !found->second.verified)) return nullptr;
  // RFC 8446, C.4: who sees a ticket twice knows that both are of the same client. Older sessions come anew but now and then.
  SSL_SESSION* const session = found->second.session.get();
  if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION) {
    session_ptr once = std::move(found->second.session);
    all_.erase(found);
    return once;
  }
  return session_ptr(SSL_SESSION_dup(session));  // see `keep`
}

void session_cache::put(const std::string& host, entry made) {
  const std::lock_guard guard(lock_);
  if (limit_ == 0) return;
  if (all_.size() >= limit_ && !all_.contains(host)) all_.erase(all_.begin());
  all_[host] = std::move(made);
}

void session_cache::offer(SSL* ssl, const std::string& host) {
  {
    const std::lock_guard guard(lock_);
    if (limit_ == 0 || host.empty()) return;
  }
  auto name = std::make_unique<std::string>(host);
  if (SSL_set_ex_data(ssl, name_index(), name.get()) != 1) return;
  static_cast<void>(name.release());
  const session_ptr known = take(host, verifies(ssl));
  if (known != nullptr) SSL_set_session(ssl, known.get());
}

int session_cache::keep(SSL* ssl, SSL_SESSION* session) {
  const auto* const name = static_cast<const std::string*>(SSL_get_ex_data(ssl, name_index()));
  if (name == nullptr || SSL_SESSION_is_resumable(session) != 1) return 0;
  // A stream that ends without a close_notify, as many do, spoils its own.
  session_ptr copy(SSL_SESSION_dup(session));
  if (copy == nullptr) return 0;
  try {
    of(ssl).put(*name, {std::move(copy), verifies(ssl)});
  } catch (...) {  // no memory: then the next handshake is a whole one
  }
  return 0;
}

}  // namespace weft::tls
