// SPDX-License-Identifier: MIT
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "tls/error.hpp"
#include "tls/session_cache.hpp"
#include "weft/tls_context.hpp"

namespace weft {

namespace {

using bio_ptr = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
using x509_ptr = std::unique_ptr<X509, decltype(&X509_free)>;
using key_ptr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

// RFC 7301: two bytes for the length of the extension, and two in it for that of the list.
constexpr std::size_t most_of_protocols = 0xfffd;

// What callbacks of a context need; it lives as long as the context.
struct extras {
  std::string protocols;  // as RFC 7301 writes a list: each behind its length
  std::function<std::optional<tls_context>(std::string_view)> choose;
  tls::session_cache sessions;
};

int extras_index() {
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* held, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<extras*>(held); });
  return index;
}

extras& extras_of(SSL_CTX* context) { return *static_cast<extras*>(SSL_CTX_get_ex_data(context, extras_index())); }

// Instead of a question on the terminal.
int no_password(char*, int, int, void*) { return -1; }

SSL_CTX* make(const SSL_METHOD* method) {
  auto own = std::make_unique<extras>();
  SSL_CTX* const context = SSL_CTX_new(method);
  if (context == nullptr || SSL_CTX_set_ex_data(context, extras_index(), own.get()) != 1) {
    SSL_CTX_free(context);
    tls::throw_openssl_error("weft: tls_context");
  }
  static_cast<void>(own.release());
  SSL_CTX_set_default_passwd_cb(context, no_password);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // A write that was interrupted by the peer's wishes is repeated from another place; idle streams hold no buffers.
  SSL_CTX_set_mode(context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  return context;
}

bio_ptr text_bio(std::string_view text) {
  bio_ptr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free_all);
  if (bio == nullptr) tls::throw_openssl_error("weft: tls_context");
  return bio;
}

[[noreturn]] void throw_no_certificate(const char* what) {
  throw std::system_error(ERR_PACK(ERR_LIB_PEM, 0, PEM_R_NO_START_LINE), openssl_category(), what);
}

// The next certificate of a PEM text; nothing at its end.
x509_ptr next_certificate(BIO* from) {
  x509_ptr found(PEM_read_bio_X509(from, nullptr, nullptr, nullptr), X509_free);
  if (found != nullptr) return found;
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) tls::throw_openssl_error("weft: certificate");
  ERR_clear_error();
  return found;
}

int pick_protocol(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                  unsigned offered_length, void* held) {
  const std::string& ours = static_cast<extras*>(held)->protocols;
  unsigned char* found = nullptr;
  const int result = SSL_select_next_proto(&found, length, reinterpret_cast<const unsigned char*>(ours.data()),
                                           static_cast<unsigned>(ours.size()), offered, offered_length);
  *chosen = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int refuse(int* alert) {
  *alert = SSL_AD_UNRECOGNIZED_NAME;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int pick_context(SSL* ssl, int* alert, void* held) {
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  try {
    const auto chosen = static_cast<extras*>(held)->choose(name == nullptr ? "" : name);
    if (chosen) {
      if (chosen->native_handle() == nullptr) return refuse(alert);
      SSL_set_SSL_CTX(ssl, chosen->native_handle());
      // That leaves out who may come.
      SSL_set_verify(ssl, SSL_CTX_get_verify_mode(chosen->native_handle()), nullptr);
    }
    return SSL_TLSEXT_ERR_OK;
  } catch (...) {
    return refuse(alert);
  }
}

}  // namespace

tls::session_cache& tls::session_cache::of(SSL* ssl) { return extras_of(SSL_get_SSL_CTX(ssl)).sessions; }

tls_context tls_context::client() {
  tls_context made(make(TLS_client_method()));
  if (SSL_CTX_set_default_verify_paths(made.handle_) != 1) tls::throw_openssl_error("weft: the system's authorities");
  made.verify(tls_verify::peer);
  return made;
}

tls_context tls_context::server() {
  tls_context made(make(TLS_server_method()));
  constexpr unsigned char name[] = "weft";
  // Sessions with a verified client are resumed only by servers of this name (SSL_CTX_set_session_id_context(3)).
  SSL_CTX_set_session_id_context(made.handle_, name, sizeof name);
  return made;
}

tls_context::tls_context(const tls_context& other) noexcept : handle_(other.handle_) {
  if (handle_ != nullptr) SSL_CTX_up_ref(handle_);
}
tls_context::tls_context(tls_context&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
tls_context& tls_context::operator=(tls_context other) noexcept {
  std::swap(handle_, other.handle_);
  return *this;
}
tls_context::~tls_context() { SSL_CTX_free(handle_); }

ssl_ctx_st* tls_context::held() const {
  if (handle_ == nullptr) throw std::logic_error("weft::tls_context: moved away");
  return handle_;
}

tls_context& tls_context::certificate_files(const std::string& chain, const std::string& key) {
  if (SSL_CTX_use_certificate_chain_file(held(), chain.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(held(), key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(held()) != 1) {
    tls::throw_openssl_error("weft: certificate_files");
  }
  return *this;
}

tls_context& tls_context::certificate(std::string_view chain, std::string_view key) {
  const bio_ptr certificates = text_bio(chain);
  const x509_ptr own = next_certificate(certificates.get());
  if (own == nullptr) throw_no_certificate("weft: certificate");
  if (SSL_CTX_use_certificate(held(), own.get()) != 1) tls::throw_openssl_error("weft: certificate");
  SSL_CTX_clear_chain_certs(held());
  while (const x509_ptr next = next_certificate(certificates.get())) {
    if (SSL_CTX_add1_chain_cert(held(), next.get()) != 1) tls::throw_openssl_error("weft: certificate");
  }
  const bio_ptr secret = text_bio(key);
  const key_ptr parsed(PEM_read_bio_PrivateKey(secret.get(), nullptr, no_password, nullptr), EVP_PKEY_free);
  if (parsed == nullptr || SSL_CTX_use_PrivateKey(held(), parsed.get()) != 1 ||
      SSL_CTX_check_private_key(held()) != 1) {
    tls::throw_openssl_error("weft: private key");
  }
  return *this;
}

tls_context& tls_context::trust_file(const std::string& path) {
  if (SSL_CTX_load_verify_file(held(), path.c_str()) != 1) tls::throw_openssl_error("weft: trust_file");
  return *this;
}

tls_context& tls_context::trust(std::string_view authorities) {
  const bio_ptr text = text_bio(authorities);
  int found = 0;
  while (const x509_ptr next = next_certificate(text.get())) {
    ++found;
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(held()), next.get()) != 1) tls::throw_openssl_error("weft: trust");
  }
  if (found == 0) throw_no_certificate("weft: trust");
  return *this;
}

tls_context& tls_context::verify(tls_verify how) {
  int mode = SSL_VERIFY_NONE;
  if (how == tls_verify::peer) mode = SSL_VERIFY_PEER;
  if (how == tls_verify::required) mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(held(), mode, nullptr);
  return *this;
}

tls_context& tls_context::alpn(const std::vector<std::string>& protocols) {
  std::string list;
  for (const std::string& name : protocols) {
    if (name.empty() || name.size() > 255) {
      throw std::system_error(std::make_error_code(std::errc::invalid_argument), "weft: alpn");
    }
    list += static_cast<char>(name.size());
    list += name;
  }
  if (list.size() > most_of_protocols) {
    throw std::system_error(std::make_error_code(std::errc::invalid_argument), "weft: alpn");
  }
  extras& e = extras_of(held());
  e.protocols = list;
  if (SSL_CTX_set_alpn_protos(held(), reinterpret_cast<const unsigned char*>(list.data()),
                              static_cast<unsigned>(list.size())) != 0) {
    tls::throw_openssl_error("weft: alpn");
  }
  SSL_CTX_set_alpn_select_cb(held(), list.empty() ? nullptr : pick_protocol, &e);
  return *this;
}

tls_context& tls_context::minimum(tls_version version) {
  SSL_CTX_set_min_proto_version(held(), version == tls_version::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  return *this;
}

tls_context& tls_context::resume(std::size_t hosts) {
  extras_of(held()).sessions.limit(hosts);
  SSL_CTX_set_session_cache_mode(
      held(), hosts == 0 ? SSL_SESS_CACHE_SERVER : SSL_SESS_CACHE_BOTH | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_sess_set_new_cb(held(), hosts == 0 ? nullptr : tls::session_cache::keep);
  return *this;
}

tls_context& tls_context::on_server_name(std::function<std::optional<tls_context>(std::string_view)> choose) {
  extras& e = extras_of(held());
  e.choose = std::move(choose);
  SSL_CTX_set_tlsext_servername_arg(held(), &e);
  auto* const call = e.choose == nullptr ? nullptr : pick_context;
  SSL_CTX_set_tlsext_servername_callback(held(), call);
  return *this;
}

}  // namespace weft
