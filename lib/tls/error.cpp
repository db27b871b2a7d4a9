// SPDX-License-Identifier: MIT
#include "tls/error.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstddef>
#include <new>
#include <string>

#include "weft/tls_error.hpp"

namespace weft {

namespace {

class own_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "weft.tls"; }
  std::string message(int code) const override {
    switch (static_cast<tls_errc>(code)) {
      case tls_errc::truncated:
        return "the connection ended without the peer's close";
      case tls_errc::no_name:
        return "a name to verify the peer by is missing";
    }
    return "unknown";
  }
};

class library_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "openssl"; }
  std::string message(int code) const override {
    char text[256];
    ERR_error_string_n(static_cast<unsigned>(code), text, sizeof text);
    return text;
  }
};

class verify_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "certificate"; }
  std::string message(int code) const override { return X509_verify_cert_error_string(code); }
};

// Never destroyed: errors outlive static objects.
template <class Category>
const std::error_category& only() noexcept {
  alignas(Category) static std::byte place[sizeof(Category)];
  static const Category& made = *new (place) Category;
  return made;
}

}  // namespace

const std::error_category& tls_category() noexcept { return only<own_category>(); }
const std::error_category& openssl_category() noexcept { return only<library_category>(); }
const std::error_category& certificate_category() noexcept { return only<verify_category>(); }

namespace tls {

std::error_code take_openssl_error() noexcept {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  if (code == 0) return tls_errc::truncated;
  if (ERR_SYSTEM_ERROR(code)) return {ERR_GET_REASON(code), std::system_category()};
  return {static_cast<int>(code), openssl_category()};
}

void throw_openssl_error(const char* what) { throw std::system_error(take_openssl_error(), what); }

std::error_code error_of(ssl_st* ssl, int failed) noexcept {
  const unsigned long code = ERR_peek_error();
  const int reason = ERR_GET_REASON(code);
  const bool from_ssl = failed == SSL_ERROR_SSL && ERR_GET_LIB(code) == ERR_LIB_SSL;
  if (from_ssl && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    ERR_clear_error();
    return {static_cast<int>(SSL_get_verify_result(ssl)), certificate_category()};
  }
  if (from_ssl && reason == SSL_R_PROTOCOL_IS_SHUTDOWN) {
    ERR_clear_error();
    return {EPIPE, std::system_category()};
  }
  if (failed == SSL_ERROR_SYSCALL || (from_ssl && reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)) {
    ERR_clear_error();
    return tls_errc::truncated;
  }
  return take_openssl_error();
}

}  // namespace tls
}  // namespace weft
