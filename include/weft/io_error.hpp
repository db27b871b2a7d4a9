// SPDX-License-Identifier: MIT
#pragma once

#include <system_error>

namespace weft {

/// What can end a read or write that is no error of the operating system. The system's own errors come as
/// std::system_category() with the errno value; a call on something closed, or closed while it waited, is EBADF.
///
/// Compare with the portable conditions where the cause does not matter: `timed_out == std::errc::timed_out` holds for the
/// deadline of the call and for the kernel's ETIMEDOUT alike.
enum class io_errc {
  end_of_stream = 1,  ///< the peer ended the stream before all that was asked for had come
  timed_out,          ///< the deadline of the call passed; what was done until then stays done
  too_long,           ///< the delimiter did not come within the limit of read_until
};

/// The category of `io_errc`.
const std::error_category& io_category() noexcept;
inline std::error_code make_error_code(io_errc code) noexcept { return {static_cast<int>(code), io_category()}; }

namespace detail {
[[noreturn]] void throw_error(std::error_code ec, const char* what);
}  // namespace detail

}  // namespace weft

template <>
struct std::is_error_code_enum<weft::io_errc> : std::true_type {};
