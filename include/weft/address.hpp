// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace weft {

/// Where a socket is or talks to: an IPv4 or IPv6 address with a port, or the name of a Unix socket.
///
/// It holds addresses, not names: to turn "example.org" into addresses use `resolver`.
///
///     weft::address a = weft::address::parse("[fe80::1%eth0]:80");
///     weft::address b = weft::address::ip("127.0.0.1", 8080);
///     weft::address c = weft::address::parse("unix:/run/app.sock");   // "unix:@name": the abstract namespace
///
/// A default-made one is nobody's: family AF_UNSPEC, size 0.
///
/// Order     Comparisons look at family, address, port and scope (or at the bytes of the name), in this order.
/// Threads   A value: copies are independent.
/// Cost      112 bytes, no allocation; only the texts allocate. A scope's name ("%eth0") is looked up by a system call.
class address {
 public:
  address() noexcept { store_.generic.sa_family = AF_UNSPEC; }

  /// From what a system call filled in.
  /// @throws std::invalid_argument  longer than any address of the three families
  static address from_native(const sockaddr* from, socklen_t size);

  /// From a numeric IP address without a port: "10.0.0.1", "::1", "fe80::1%eth0", "fe80::1%2".
  /// @throws std::invalid_argument  it is none. Names of hosts are not looked up here
  static address ip(std::string_view text, std::uint16_t port);
  /// The same, but nothing instead of an exception.
  static std::optional<address> try_ip(std::string_view text, std::uint16_t port);
  /// Every address of this machine, for listening. @p family is AF_INET6, or AF_INET as any other is taken; an IPv6 listener takes IPv4
  /// connections too unless IPV6_V6ONLY is set.
  static address any(int family, std::uint16_t port) noexcept;
  static address loopback(int family, std::uint16_t port) noexcept;

  /// A Unix socket in the file system; at most 107 bytes.
  /// @throws std::invalid_argument  too long, empty, or with a zero byte inside
  static address unix_path(std::string_view path);
  /// A Unix socket in Linux's abstract namespace: any bytes, at most 107 of them; gone when its last socket is.
  /// @throws std::invalid_argument  too long
  static address abstract(std::string_view name);

  /// From the text that `to_string` makes: "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", "unix:/path", "unix:@abstract".
  /// A text that begins with '/' is a path, too.
  /// @throws std::invalid_argument  it is none
  static address parse(std::string_view text);
  /// The same, but nothing instead of an exception.
  static std::optional<address> try_parse(std::string_view text);

  /// For system calls.
  const sockaddr* data() const noexcept { return &store_.generic; }
  socklen_t size() const noexcept { return size_; }

  int family() const noexcept { return store_.generic.sa_family; }
  bool is_ipv4() const noexcept { return family() == AF_INET; }
  bool is_ipv6() const noexcept { return family() == AF_INET6; }
  bool is_ip() const noexcept { return is_ipv4() || is_ipv6(); }
  bool is_unix() const noexcept { return family() == AF_UNIX; }
  bool is_abstract() const noexcept;

  /// 0 for addresses that have none.
  std::uint16_t port() const noexcept;
  /// The same address with another port; Unix addresses stay as they are.
  address with_port(std::uint16_t port) const noexcept;
  /// The index of the interface that a link-local IPv6 address belongs to; 0 for none.
  std::uint32_t scope_id() const noexcept { return is_ipv6() ? store_.v6.sin6_scope_id : 0; }

  bool is_loopback() const noexcept;
  /// 0.0.0.0 or ::
  bool is_any() const noexcept;
  bool is_multicast() const noexcept;
  bool is_link_local() const noexcept;
  /// For ::ffff:a.b.c.d the IPv4 address inside; any other stays as it is.
  address unmapped() const noexcept;

  /// The numeric IP address without port, in RFC 5952's form; empty for other families.
  std::string ip() const;
  /// The path, or the abstract name without its leading zero; empty for other families and for unnamed sockets.
  std::string_view path() const noexcept;
  /// What `parse` reads. Bytes of a Unix name that do not print are written as \xNN.
  std::string to_string() const;

  friend bool operator==(const address& a, const address& b) noexcept { return (a <=> b) == 0; }
  friend std::strong_ordering operator<=>(const address& a, const address& b) noexcept;

 private:
  friend struct std::hash<address>;
  friend class address_room;
  std::size_t hash() const noexcept;

  union {
    sockaddr generic;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un local;
  } store_{};
  socklen_t size_ = 0;
};

/// Room that a system call (getsockname, accept, recvfrom...) fills with an address.
///
///     weft::address_room room;
///     if (getpeername(fd, room.data(), room.size()) == 0) use(room.get());
class address_room {
 public:
  sockaddr* data() noexcept { return &room_.store_.generic; }
  socklen_t* size() noexcept { return &size_; }
  /// What was filled in; nobody's address if nothing was.
  address get() noexcept;

 private:
  address room_;
  socklen_t size_ = sizeof(sockaddr_un);
};

}  // namespace weft

template <>
struct std::hash<weft::address> {
  std::size_t operator()(const weft::address& a) const noexcept { return a.hash(); }
};
