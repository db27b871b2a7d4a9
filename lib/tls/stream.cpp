// SPDX-License-Identifier: MIT
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <memory>

#include "tls/engine.hpp"
#include "tls/error.hpp"
#include "tls/session_cache.hpp"
#include "weft/address.hpp"
#include "weft/tls_stream.hpp"

namespace weft {

namespace {

// Whom the client wants to talk to, for the server's choice of a certificate and for our look at it.
void expect_peer(SSL* ssl, const std::string& host) {
  const bool verifies = (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0;
  if (host.empty()) {
    if (verifies) throw std::system_error(tls_errc::no_name, "weft: tls_stream::client");
    return;
  }
  if (host.size() > TLSEXT_MAXLEN_host_name || host.find('\0') != std::string::npos) {
    throw std::system_error(std::make_error_code(std::errc::invalid_argument), "weft: tls_stream::client");
  }
  X509_VERIFY_PARAM* const rules = SSL_get0_param(ssl);
  const bool numeric = address::try_ip(host, 0).has_value();
  // RFC 6066: an address is no server name.
  const bool done = numeric ? X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1
                            : X509_VERIFY_PARAM_set1_host(rules, host.c_str(), host.size()) == 1 &&
                                  SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
  if (!done) tls::throw_openssl_error("weft: tls_stream::client");
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
}

std::error_code closed_before() noexcept { return {EBADF, std::system_category()}; }

std::string text_of(const char* text) { return text == nullptr ? std::string() : std::string(text); }

}  // namespace

tls_stream::tls_stream() noexcept = default;
tls_stream::tls_stream(std::shared_ptr<tls::engine> engine) noexcept : engine_(std::move(engine)) {}
tls_stream::tls_stream(tls_stream&&) noexcept = default;
tls_stream& tls_stream::operator=(tls_stream&& other) noexcept {
  if (this == &other) return *this;
  close();
  engine_ = std::move(other.engine_);
  return *this;
}
tls_stream::~tls_stream() { close(); }

tls_stream tls_stream::start(std::unique_ptr<detail::lower_stream> lower, const tls_context& context, bool accepting,
                             const std::string& host, deadline by) {
  tls_stream made(std::make_shared<tls::engine>(std::move(lower), context, accepting));
  if (!accepting) {
    expect_peer(made.native_handle(), host);
    tls::session_cache::of(made.native_handle()).offer(made.native_handle(), host);
  }
  std::error_code ec;
  made.engine_->handshake(ec, by);
  if (ec) throw std::system_error(ec, "weft: TLS handshake");
  return made;
}

tls_stream tls_stream::start(std::unique_ptr<detail::lower_stream> lower, const tls_context& context, bool accepting,
                             const std::string& host, std::error_code& ec, deadline by) {
  ec.clear();
  try {
    return start(std::move(lower), context, accepting, host, by);
  } catch (const std::system_error& error) {
    ec = error.code();
    return {};
  }
}

std::size_t tls_stream::do_read(mutable_buffer to, std::error_code& ec, deadline by) {
  if (!is_open()) {
    ec = closed_before();
    return 0;
  }
  if (to.size() == 0) return 0;
  const std::shared_ptr<tls::engine> kept = engine_;  // the stream may be destroyed meanwhile
  return kept->read(to, ec, by);
}

std::size_t tls_stream::do_read(std::span<const mutable_buffer> to, std::error_code& ec, deadline by) {
  for (const mutable_buffer& place : to) {
    if (place.size() != 0) return do_read(place, ec, by);  // a record at a time: the rest is for the next call
  }
  return do_read(mutable_buffer(), ec, by);
}

std::size_t tls_stream::do_write(const_buffer from, std::error_code& ec, deadline by) {
  return do_write(std::span(&from, 1), ec, by);
}

std::size_t tls_stream::do_write(std::span<const const_buffer> from, std::error_code& ec, deadline by) {
  if (!is_open()) {
    ec = closed_before();
    return 0;
  }
  const std::shared_ptr<tls::engine> kept = engine_;
  return kept->write(from, ec, by);
}

void tls_stream::shutdown(std::error_code& ec, deadline by) {
  ec.clear();
  if (!is_open()) {
    ec = closed_before();
    return;
  }
  const std::shared_ptr<tls::engine> kept = engine_;
  kept->shutdown(ec, by);
}

void tls_stream::shutdown(deadline by) {
  std::error_code ec;
  shutdown(ec, by);
  if (ec) throw std::system_error(ec, "weft: TLS shutdown");
}

void tls_stream::close() noexcept {
  if (engine_ != nullptr) engine_->close();
}

bool tls_stream::is_open() const noexcept { return engine_ != nullptr && engine_->is_open(); }

ssl_st* tls_stream::native_handle() const noexcept { return engine_ == nullptr ? nullptr : engine_->ssl(); }

std::string tls_stream::version() const {
  return engine_ == nullptr ? std::string() : text_of(SSL_get_version(engine_->ssl()));
}

std::string tls_stream::cipher() const {
  return engine_ == nullptr ? std::string() : text_of(SSL_get_cipher_name(engine_->ssl()));
}

std::string tls_stream::alpn() const {
  if (engine_ == nullptr) return {};
  const unsigned char* name = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(engine_->ssl(), &name, &length);
  return {reinterpret_cast<const char*>(name), length};
}

std::string tls_stream::server_name() const {
  return engine_ == nullptr ? std::string() : text_of(SSL_get_servername(engine_->ssl(), TLSEXT_NAMETYPE_host_name));
}

bool tls_stream::resumed() const noexcept { return engine_ != nullptr && SSL_session_reused(engine_->ssl()) == 1; }

std::string tls_stream::peer_certificate() const {
  if (engine_ == nullptr) return {};
  const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(engine_->ssl()), X509_free);
  if (shown == nullptr) return {};
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> text(BIO_new(BIO_s_mem()), BIO_free_all);
  if (text == nullptr || PEM_write_bio_X509(text.get(), shown.get()) != 1) tls::throw_openssl_error("weft: tls_stream");
  char* bytes = nullptr;
  const auto size = static_cast<std::size_t>(BIO_get_mem_data(text.get(), &bytes));
  return {bytes, size};
}

}  // namespace weft
