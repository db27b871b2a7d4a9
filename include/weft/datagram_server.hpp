// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <stop_token>
#include <string_view>
#include <type_traits>
#include <utility>

#include "weft/address.hpp"
#include "weft/basic_server.hpp"
#include "weft/datagram_socket.hpp"
#include "weft/detail/empty_function.hpp"

namespace weft {

/// Receives messages and handles each in a fiber of its own; gevent's DatagramServer.
///
/// To receive by hand use `datagram_socket`; for connections `stream_server`. Of the options `limit` is the number of messages
/// that are handled at once, and while there are so many further ones stay in the socket's buffer, where the kernel drops what
/// does not fit.
///
///     weft::datagram_server server(weft::address::parse("127.0.0.1:7"),
///                                  [&](std::string_view message, const weft::address& from) { server.send_to(message, from); });
///     server.serve();
///
/// A handler that takes it first is given the server's `stop_token`. How the server begins and ends stands in basic_server.hpp;
/// handlers may still send in the time of grace.
///
/// Order     Handlers begin in the order in which messages were received; of several hubs each has its own.
/// Errors    What a handler throws goes to `on_error`, as does EMSGSIZE for a message of more than 64 KiB (of a Unix socket),
///           which is dropped.
/// Threads   Fibers run on the hub that called `start`, or on those of the options.
/// Lifetime  A message's bytes live until its handler returns, also when that has destroyed the server.
/// Cost      A message: one recvmsg, one fiber, and an allocation for its bytes.
class datagram_server : public basic_server {
  template <class Handler>
  static constexpr bool is_stoppable = std::is_invocable_v<Handler&, std::stop_token, std::string_view, const address&>;

 public:
  using handler_function = std::function<void(std::string_view message, const address& from)>;

  /// @param at  where to receive; port 0: see local_address()
  /// @throws std::system_error  it cannot; std::invalid_argument  @p handle is empty
  datagram_server(const address& at, handler_function handle, const server_options& options = {})
      : datagram_server(wrap(std::move(handle)), at, options) {}
  template <class Handler>
  requires(is_stoppable<Handler>) datagram_server(const address& at, Handler handle, const server_options& options = {})
      : datagram_server(wrap(std::move(handle)), at, options) {}
  /// Takes over a bound socket, which several hubs share. One that is closed is taken, too: then `join` throws EBADF.
  datagram_server(datagram_socket on, handler_function handle, const server_options& options = {})
      : datagram_server(wrap(std::move(handle)), std::move(on), options) {}
  template <class Handler>
  requires(is_stoppable<Handler>)
      datagram_server(datagram_socket on, Handler handle, const server_options& options = {})
      : datagram_server(wrap(std::move(handle)), std::move(on), options) {}

  /// Sends a message from the server's address.
  /// @throws std::system_error  as datagram_socket::send_to; EBADF when it has stopped
  void send_to(const_buffer message, const address& to, deadline by = deadline::never());

  /// @throws std::system_error  EBADF when it has stopped
  address local_address() const;
  /// Messages being handled.
  std::size_t handling() const noexcept;

 private:
  using stoppable_function = std::function<void(const std::stop_source& stopping, std::string_view, const address&)>;
  struct state;

  template <class Handler>
  static stoppable_function wrap(Handler handle) {
    if (detail::is_empty(handle)) throw std::invalid_argument("weft::datagram_server: no handler");
    return [call = std::move(handle)](const std::stop_source& stop, std::string_view message,
                                      const address& from) mutable {
      if constexpr (is_stoppable<Handler>) {
        std::invoke(call, stop.get_token(), message, from);
      } else {
        call(message, from);
      }
    };
  }
  datagram_server(stoppable_function handle, const address& at, const server_options& options);
  datagram_server(stoppable_function handle, datagram_socket on, const server_options& options);
};

}  // namespace weft
