// SPDX-License-Identifier: MIT
#pragma once

#include "weft/socket_base.hpp"
#include "weft/stream_socket.hpp"

namespace weft {

/// How a listener is made; the defaults suit nearly all.
struct listen_options {
  /// Connections that wait to be accepted at most; the kernel caps it at net.core.somaxconn.
  int backlog = 4096;
  /// Lets several listeners have the same port, among which the kernel spreads connections (SO_REUSEPORT).
  bool reuse_port = false;
  /// Takes the port although connections of an earlier listener are in TIME_WAIT (SO_REUSEADDR).
  bool reuse_address = true;
  /// An IPv6 listener takes no IPv4 connections.
  bool ipv6_only = false;
  /// Turns Nagle's algorithm off in accepted sockets, which inherit it.
  bool no_delay = true;
  /// Removes a socket left in the file system by an earlier listener that nobody listens on any more.
  bool replace_unix_path = true;
};

/// A socket that takes connections; to serve each in a fiber of its own use `stream_server`.
///
///     weft::listener l(weft::address::parse("127.0.0.1:0"));
///     for (;;) weft::spawn([s = l.accept()]() mutable { serve(s); });
///
/// Blocking  `accept` suspends while no connection waits.
/// Timeout   When the deadline passes `accept` fails with io_errc::timed_out.
/// Cancel    A cancelled `accept` took no connection.
/// Threads   Any number of fibers may accept at once; one connection wakes one of them.
/// Lifetime  Its destruction closes it and leaves a Unix path in the file system.
class listener : public socket_base {
 public:
  listener() noexcept = default;
  /// Binds and listens. Port 0 is one that the kernel chooses: see local_address().
  /// @throws std::system_error
  explicit listener(const address& at, const listen_options& options = {});
  /// Takes over a listening socket, as systemd or a parent process passes it.
  /// @throws std::system_error  it is none; then @p fd stays the caller's
  explicit listener(int fd);

  /// The next connection. One that its peer gave up meanwhile is passed over.
  /// @throws std::system_error  EMFILE, ENFILE, ENOBUFS, ENOMEM: the connection still waits, try again later. EBADF: closed
  stream_socket accept(deadline by = deadline::never());
  /// The same; sets @p from to the peer's address.
  stream_socket accept(address& from, deadline by = deadline::never());
  /// The same without exceptions; @p from may be null.
  stream_socket accept(address* from, std::error_code& ec, deadline by = deadline::never());
};

}  // namespace weft
