// SPDX-License-Identifier: MIT
#pragma once

#include <system_error>

struct ssl_st;

namespace weft::tls {

/// The first entry of OpenSSL's queue of this thread, the cause of the others. Empties the queue.
std::error_code take_openssl_error() noexcept;
[[noreturn]] void throw_openssl_error(const char* what);

/// Why a call on @p ssl that ended with @p failed (SSL_get_error) did.
std::error_code error_of(ssl_st* ssl, int failed) noexcept;

}  // namespace weft::tls
