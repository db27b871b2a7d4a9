// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "weft/address.hpp"
#include "weft/deadline.hpp"
#include "weft/name_service.hpp"

namespace weft {

struct resolver_options {
  /// How long answers are kept, but no longer than the service says; zero: not at all.
  std::chrono::nanoseconds keep = std::chrono::nanoseconds::zero();
  /// The same for the answer that there is no such name or address. Other failures are never kept.
  std::chrono::nanoseconds keep_failures = std::chrono::nanoseconds::zero();
  /// Answers kept at most; the oldest goes.
  std::size_t most_kept = 1024;
};

/// Looks names up. To connect to one use `connect` (connect.hpp), which does this by itself.
///
///     for (const weft::address& a : weft::default_resolver().resolve("example.org", 80, 2s)) ...
///
/// Numeric addresses are answered at once. Questions that are the same and asked at the same time are one question to the
/// service.
///
/// Blocking  Suspends until the answer has come.
/// Timeout   io_errc::timed_out. The question itself goes on, and its answer may serve others and the cache.
/// Cancel    A cancellation point; the question goes on likewise.
/// Errors    std::system_error with a resolve_errc or a system error; each call has a twin with std::error_code&. A name
///           with a zero byte is not known.
/// Threads   Safe from any fiber of any thread. In a fork's child what is kept is there; questions are asked anew.
/// Lifetime  May be destroyed while questions are on their way, and while fibers wait in it: they get their answers.
/// Cost      system_names: two wakes of the kernel around the lookup itself.
class resolver {
 public:
  /// @throws std::invalid_argument  @p service is null
  explicit resolver(std::shared_ptr<name_service> service = system_names(), const resolver_options& options = {});
  resolver(const resolver&) = delete;
  resolver& operator=(const resolver&) = delete;
  ~resolver();

  /// The addresses of a host with a port, the most preferred first; at least one.
  std::vector<address> resolve(std::string_view host, std::uint16_t port, deadline by = deadline::never());
  std::vector<address> resolve(std::string_view host, std::uint16_t port, std::error_code& ec,
                               deadline by = deadline::never());
  /// The same with every detail of getaddrinfo(3).
  name_answer resolve(const name_query& query, deadline by = deadline::never());
  name_answer resolve(const name_query& query, std::error_code& ec, deadline by = deadline::never());

  /// The name of an IP address; its port does not matter.
  std::string name_of(const address& of, deadline by = deadline::never());
  std::string name_of(const address& of, std::error_code& ec, deadline by = deadline::never());

  /// Forgets what it has kept.
  void forget();

 private:
  struct state;
  std::shared_ptr<state> state_;
};

/// The one that `connect` uses: system_names, nothing kept. Never destroyed.
resolver& default_resolver();

}  // namespace weft
