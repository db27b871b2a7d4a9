// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <optional>
#include <type_traits>

namespace weft {

/// Names one option of setsockopt(2) and the C++ type of its value: `socket.set(socket_options::no_delay, true)`.
///
/// T is bool or an integer, std::chrono::seconds (options in seconds), std::optional<std::chrono::seconds> (SO_LINGER), or any
/// plain struct that the kernel takes as it is. An option that is not listed below is made in place:
/// `socket.set(socket_option<int>{IPPROTO_TCP, TCP_NOTSENT_LOWAT}, 16384)`.
template <class T>
struct socket_option {
  int level;
  int name;
  using value_type = T;
};

/// The options that servers and clients use most. socket(7), tcp(7), ip(7) and ipv6(7) say what each does.
///
/// SO_RCVTIMEO and SO_SNDTIMEO are missing because they have no effect here: each call takes a deadline.
namespace socket_options {
inline constexpr socket_option<bool> reuse_address{SOL_SOCKET, SO_REUSEADDR};
inline constexpr socket_option<bool> reuse_port{SOL_SOCKET, SO_REUSEPORT};
inline constexpr socket_option<bool> keep_alive{SOL_SOCKET, SO_KEEPALIVE};
inline constexpr socket_option<bool> broadcast{SOL_SOCKET, SO_BROADCAST};
inline constexpr socket_option<bool> pass_credentials{SOL_SOCKET, SO_PASSCRED};
/// Bytes; the kernel doubles them for its own needs, and that is what `get` returns.
inline constexpr socket_option<int> send_buffer{SOL_SOCKET, SO_SNDBUF};
inline constexpr socket_option<int> receive_buffer{SOL_SOCKET, SO_RCVBUF};
/// How long close waits in the background for unsent data; nothing: the kernel's default. Zero resets the connection.
inline constexpr socket_option<std::optional<std::chrono::seconds>> linger{SOL_SOCKET, SO_LINGER};
inline constexpr socket_option<int> incoming_cpu{SOL_SOCKET, SO_INCOMING_CPU};
inline constexpr socket_option<ucred> peer_credentials{SOL_SOCKET, SO_PEERCRED};

inline constexpr socket_option<bool> no_delay{IPPROTO_TCP, TCP_NODELAY};
inline constexpr socket_option<bool> cork{IPPROTO_TCP, TCP_CORK};
inline constexpr socket_option<bool> quick_ack{IPPROTO_TCP, TCP_QUICKACK};
inline constexpr socket_option<std::chrono::seconds> keep_alive_idle{IPPROTO_TCP, TCP_KEEPIDLE};
inline constexpr socket_option<std::chrono::seconds> keep_alive_interval{IPPROTO_TCP, TCP_KEEPINTVL};
inline constexpr socket_option<int> keep_alive_count{IPPROTO_TCP, TCP_KEEPCNT};
inline constexpr socket_option<std::chrono::seconds> defer_accept{IPPROTO_TCP, TCP_DEFER_ACCEPT};
inline constexpr socket_option<int> fast_open{IPPROTO_TCP, TCP_FASTOPEN};

inline constexpr socket_option<int> ipv4_tos{IPPROTO_IP, IP_TOS};
inline constexpr socket_option<int> ipv4_ttl{IPPROTO_IP, IP_TTL};
inline constexpr socket_option<bool> ipv4_free_bind{IPPROTO_IP, IP_FREEBIND};
inline constexpr socket_option<ip_mreqn> ipv4_join{IPPROTO_IP, IP_ADD_MEMBERSHIP};
inline constexpr socket_option<ip_mreqn> ipv4_leave{IPPROTO_IP, IP_DROP_MEMBERSHIP};
inline constexpr socket_option<bool> ipv6_only{IPPROTO_IPV6, IPV6_V6ONLY};
inline constexpr socket_option<ipv6_mreq> ipv6_join{IPPROTO_IPV6, IPV6_JOIN_GROUP};
inline constexpr socket_option<ipv6_mreq> ipv6_leave{IPPROTO_IPV6, IPV6_LEAVE_GROUP};
}  // namespace socket_options

namespace detail {

// What the kernel takes for a T, and the way there and back.
template <class T>
struct option_form {
  using raw = T;
  static raw to(const T& value) noexcept { return value; }
  static T from(const raw& value) noexcept { return value; }
};
template <class T>
requires std::is_integral_v<T>
struct option_form<T> {
  using raw = int;
  static raw to(T value) noexcept { return static_cast<int>(value); }
  static T from(raw value) noexcept { return static_cast<T>(value); }
};
template <>
struct option_form<std::chrono::seconds> {
  using raw = int;
  static raw to(std::chrono::seconds value) noexcept { return static_cast<int>(value.count()); }
  static std::chrono::seconds from(raw value) noexcept { return std::chrono::seconds(value); }
};
template <>
struct option_form<std::optional<std::chrono::seconds>> {
  using raw = ::linger;
  static raw to(std::optional<std::chrono::seconds> value) noexcept {
    return value ? raw{1, static_cast<int>(value->count())} : raw{0, 0};
  }
  static std::optional<std::chrono::seconds> from(const raw& value) noexcept {
    if (value.l_onoff == 0) return std::nullopt;
    return std::chrono::seconds(value.l_linger);
  }
};

}  // namespace detail
}  // namespace weft
