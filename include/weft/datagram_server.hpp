// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>

#include "weft/address.hpp"
#include "weft/datagram_socket.hpp"
#include "weft/stream_server.hpp"

namespace weft {

/// Receives messages and handles each in a fiber of its own; gevent's DatagramServer.
///
/// To receive by hand use `datagram_socket`; for connections `stream_server`, whose options these are: `limit` is the number of
/// messages that are handled at once, and while there are so many further ones stay in the socket's buffer, where the kernel
/// drops what does not fit.
///
///     weft::datagram_server server(weft::address::parse("127.0.0.1:7"),
///                                  [&](std::string_view message, const weft::address& from) { server.send_to(message, from); });
///     server.serve();
///
/// Blocking  `serve`, `join` and `stop` suspend; `start` does not.
/// Order     Handlers begin in the order in which messages were received; of several hubs each has its own.
/// Cancel    A cancelled `serve` stops the server, without grace; so does a cancelled `stop`, whose grace is over then: the handlers are
///           cancelled, and waited for, before it throws. A cancelled `join` changes nothing. `stop` cancels handlers by `cancelled`.
/// Errors    What a handler throws goes to `on_error`, as does EMSGSIZE for a message of more than 64 KiB (of a Unix socket),
///           which is dropped.
/// Threads   All calls from any fiber of any thread, but the destructor. Fibers run on the hub that called `start`, or on those
///           of the options.
/// Lifetime  As stream_server. A message's bytes live until its handler returns, also when that has destroyed the server.
/// Cost      A message: one recvmsg, one fiber, and an allocation for its bytes.
class datagram_server {
 public:
  using handler_function = std::function<void(std::string_view message, const address& from)>;

  /// @param at  where to receive; port 0: see local_address()
  /// @throws std::system_error  it cannot; std::invalid_argument  @p handle is empty
  datagram_server(const address& at, handler_function handle, const server_options& options = {});
  /// Takes over a bound socket, which several hubs share.
  datagram_server(datagram_socket on, handler_function handle, const server_options& options = {});
  datagram_server(datagram_server&&) noexcept;
  /// Ends the one that was here, as its destruction does.
  datagram_server& operator=(datagram_server&&) noexcept;
  ~datagram_server();

  /// Begins to receive. Nothing happens if it has begun, or was stopped.
  void start();
  /// Starts, and waits until it is stopped and the last handler has returned.
  /// @return false if @p by passed first: it goes on
  bool serve(deadline by = deadline::never());
  /// Waits until it is stopped and the last handler has returned.
  /// @return false if @p by passed first
  bool join(deadline by = deadline::never());
  /// Stops receiving, at once. Handlers may go on, and send, until @p grace; those that then have not ended are cancelled, and
  /// waited for. From a handler it does not wait for that handler.
  /// @return whether all ended by themselves
  bool stop(deadline grace = std::chrono::seconds(1));
  std::stop_token stop_token() const noexcept;

  /// Sends a message from the server's address.
  /// @throws std::system_error  as datagram_socket::send_to; EBADF when it has stopped
  void send_to(const_buffer message, const address& to, deadline by = deadline::never());

  address local_address() const;
  /// Messages being handled.
  std::size_t handling() const noexcept;
  bool running() const noexcept;

 private:
  struct state;
  const std::shared_ptr<state>& shared() const;

  std::shared_ptr<state> state_;
};

}  // namespace weft
