// SPDX-License-Identifier: MIT
#pragma once

#include <system_error>

namespace weft {

/// What can end a `tls_stream` besides errors of the stream below it, which come as they are.
///
/// Errors of OpenSSL come with the category "openssl" and its own numbers; a certificate that does not verify comes with the
/// category "certificate" and the X509_V_ERR_* number, whose message says why.
enum class tls_errc {
  truncated = 1,  ///< the stream below ended without the peer's close: what came may not be all
  no_name,        ///< the peer is to be verified and it was not said who it should be
};
const std::error_category& tls_category() noexcept;
const std::error_category& openssl_category() noexcept;
const std::error_category& certificate_category() noexcept;
inline std::error_code make_error_code(tls_errc code) noexcept { return {static_cast<int>(code), tls_category()}; }

}  // namespace weft

template <>
struct std::is_error_code_enum<weft::tls_errc> : std::true_type {};
