// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "weft/address.hpp"
#include "weft/deadline.hpp"
#include "weft/stream_socket.hpp"

namespace weft {

class resolver;

/// How `connect` goes about it; the defaults are those of RFC 8305.
struct connect_options {
  /// How long an attempt has for itself before the next address is tried beside it. Zero or less: all at once.
  std::chrono::nanoseconds attempt_delay = std::chrono::milliseconds(250);
  /// The local address; only peers of its family are tried then.
  std::optional<address> from{};
  /// Looks the name up, and outlives that; nullptr: default_resolver().
  resolver* names = nullptr;
};

/// An address that could not be connected to, and why.
struct connect_failure {
  address to;
  std::error_code error;
};

/// Thrown by `connect` when no address could be reached. Its code is that of the first attempt that failed, or
/// io_errc::timed_out; `failures` has each attempt that failed, in the order of their ends, and what() lists them.
class connect_error : public std::system_error {
 public:
  connect_error(std::error_code code, std::vector<connect_failure> failures);
  ~connect_error() override;
  const std::vector<connect_failure>& failures() const noexcept { return failures_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
  std::vector<connect_failure> failures_;
};

/// Connects to a host by its name, over whichever of its addresses answers first ("happy eyeballs", RFC 8305); to connect to
/// one address use `stream_socket::connect`.
///
/// IPv6 and IPv4 take turns, in the resolver's order of preference. The first attempt is given a start; then, or as soon as
/// one fails, the next begins beside it. The first that succeeds is returned, the others are closed.
///
///     weft::stream_socket s = weft::connect("example.org", 80, 5s);
///
/// Blocking  Suspends while the name is looked up and while no attempt has succeeded.
/// Timeout   One deadline for all of it: io_errc::timed_out.
/// Cancel    A cancellation point; all attempts are closed.
/// Errors    connect_error; or std::system_error with the resolver's code (name_service.hpp). The twin with
///           std::error_code& returns a closed socket instead.
/// Threads   Safe from any fiber of any thread.
/// Cost      One fiber, the caller's; no attempt has one of its own.
stream_socket connect(std::string_view host, std::uint16_t port, deadline by = deadline::never());
stream_socket connect(std::string_view host, std::uint16_t port, std::error_code& ec, deadline by = deadline::never());
stream_socket connect(std::string_view host, std::uint16_t port, const connect_options& options,
                      deadline by = deadline::never());

/// The same race over given addresses, in the given order.
/// @throws connect_error  EADDRNOTAVAIL if there is none; for each that cannot be connected to (a default-made one, another family
///         than that of `from`, port 0) the system's error is among the failures
stream_socket connect(std::span<const address> to, const connect_options& options = {},
                      deadline by = deadline::never());

}  // namespace weft
