// SPDX-License-Identifier: MIT
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "weft/address.hpp"

namespace weft {

/// Why a name could not be looked up; the values are those of getaddrinfo(3).
enum class resolve_errc {
  name_not_known = EAI_NONAME,  ///< there is no such name, address or service
  no_address = EAI_NODATA,      ///< the name has no address of that family
  try_again = EAI_AGAIN,        ///< no server answered, or none can just now
  failed = EAI_FAIL,            ///< a server answered with an error
  family_not_supported = EAI_FAMILY,
  service_not_known = EAI_SERVICE,  ///< the service has no port
  bad_flags = EAI_BADFLAGS,
  out_of_memory = EAI_MEMORY,
};
/// The category of `resolve_errc`, whose messages are libc's.
const std::error_category& resolve_category() noexcept;
inline std::error_code make_error_code(resolve_errc code) noexcept {
  return {static_cast<int>(code), resolve_category()};
}

}  // namespace weft

template <>
struct std::is_error_code_enum<weft::resolve_errc> : std::true_type {};

namespace weft {

/// A name to be looked up.
struct name_query {
  std::string host{};      ///< empty: this machine, loopback or (with AI_PASSIVE) any address of it
  std::string service{};   ///< a port or a name of /etc/services; empty: port 0
  int family = AF_UNSPEC;  ///< AF_INET or AF_INET6: only such addresses
  int flags = 0;           ///< AI_* of getaddrinfo(3): AI_CANONNAME, AI_ADDRCONFIG, AI_PASSIVE...

  friend bool operator==(const name_query&, const name_query&) = default;
};

/// What a name service knows.
struct name_answer {
  std::error_code error{};
  std::vector<address> addresses{};  ///< the most preferred first (RFC 6724)
  std::string name{};                ///< the canonical name, if asked for; the name of an address
  /// How long it may be kept, where the service knows.
  std::chrono::seconds ttl = std::chrono::seconds::max();
};

/// Where a `resolver` asks. `system_names` is the usual one, weft/ares.hpp has another, tests bring their own; to look a
/// name up use `resolver`.
///
/// A service answers each question once, by a call of `done`: at once or later, from any thread. A second answer is
/// ignored; if all copies of `done` are destroyed without a call, the answer is resolve_errc::failed.
///
/// Blocking  Neither function may block, nor may `done` be called under a lock of the service's.
/// Threads   Called from any.
/// Errors    What they throw reaches the fiber that asked; a std::system_error is the answer.
class name_service {
 public:
  using receiver = std::function<void(name_answer)>;
  name_service() = default;
  name_service(const name_service&) = delete;
  name_service& operator=(const name_service&) = delete;
  virtual ~name_service() = default;
  virtual void find_addresses(const name_query& query, receiver done) = 0;
  virtual void find_name(const address& of, receiver done) = 0;
};

/// getaddrinfo(3) and getnameinfo(3) of libc on real threads of their own (32 at most, made when needed): exactly what the
/// system is configured to answer (nsswitch.conf, hosts, mDNS...), while the hubs run on.
std::shared_ptr<name_service> system_names();

}  // namespace weft
