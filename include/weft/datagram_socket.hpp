// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "weft/buffer.hpp"
#include "weft/socket_base.hpp"

namespace weft {

/// A socket whose messages keep their boundaries: UDP, Unix datagrams, and packets (SOCK_SEQPACKET, raw) that are taken over.
/// For bytes in order use `stream_socket`; to answer each message by a handler `datagram_server`.
///
///     auto s = weft::datagram_socket::bind(weft::address::parse("127.0.0.1:0"));
///     weft::address from;
///     auto got = s.receive_from(buffer, from, 1s);
///     s.send_to({buffer, got.bytes}, from);
///
/// Blocking  Receiving suspends while no message waits, sending while the socket's buffer has no room.
/// Order     Messages may get lost, doubled and overtaken on their way, as the protocol has it.
/// Timeout   When the deadline passes a call fails with io_errc::timed_out.
/// Cancel    A cancelled call took or sent nothing.
class datagram_socket : public socket_base {
 public:
  datagram_socket() noexcept = default;
  /// Takes over a socket of messages.
  /// @throws std::system_error  it is none (EPROTOTYPE for a stream); then @p fd stays the caller's
  explicit datagram_socket(int fd);

  /// One that receives at @p at (port 0: chosen by the kernel).
  static datagram_socket bind(const address& at, bool reuse_port = false);
  /// One that only talks with @p to: `send` and `receive` need no address, and errors of the way there come back
  /// (ECONNREFUSED).
  static datagram_socket connect(const address& to);
  /// Two Unix sockets connected with each other.
  static std::pair<datagram_socket, datagram_socket> pair();
  /// Connects this one, or another time elsewhere.
  void connect_to(const address& to);

  struct received {
    std::size_t bytes = 0;   ///< what was stored
    bool truncated = false;  ///< there was more than room for it: the rest is lost
  };
  /// The next message. An empty one is one too; when a peer with packets has ended it is empty for ever.
  received receive(mutable_buffer to, deadline by = deadline::never());
  received receive(mutable_buffer to, std::error_code& ec, deadline by = deadline::never());
  /// The same, and where it came from.
  received receive_from(mutable_buffer to, address& from, deadline by = deadline::never());
  received receive_from(mutable_buffer to, address& from, std::error_code& ec, deadline by = deadline::never());

  /// Sends one message, whole or not at all.
  /// @throws std::system_error  EMSGSIZE too long; EDESTADDRREQ not connected
  void send(const_buffer message, deadline by = deadline::never());
  void send(const_buffer message, std::error_code& ec, deadline by = deadline::never());
  void send_to(const_buffer message, const address& to, deadline by = deadline::never());
  void send_to(const_buffer message, const address& to, std::error_code& ec, deadline by = deadline::never());

  /// One of many messages that a single system call takes.
  struct incoming {
    mutable_buffer room;  ///< where it is to be stored
    address from;
    std::size_t bytes = 0;   ///< what was stored
    bool truncated = false;  ///< there was more
  };
  /// Waits for a message and takes as many as there are, at most 32 at once.
  /// @return how many of @p into were filled, at least one; 0 if it is empty
  std::size_t receive_many(std::span<incoming> into, deadline by = deadline::never());

  struct outgoing {
    const_buffer bytes;
    address to;  ///< unspecified when the socket is connected
  };
  /// Sends whole messages, in order, at most 32 at once.
  /// @return how many went, at least one; 0 if there are none
  std::size_t send_many(std::span<const outgoing> messages, deadline by = deadline::never());
};

}  // namespace weft
