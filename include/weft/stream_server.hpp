// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <stop_token>
#include <type_traits>
#include <utility>

#include "weft/address.hpp"
#include "weft/basic_server.hpp"
#include "weft/detail/empty_function.hpp"
#include "weft/listener.hpp"
#include "weft/stream_socket.hpp"

namespace weft {

/// Accepts connections and serves each in a fiber of its own; gevent's StreamServer.
///
/// To accept by hand use `listener`; for messages `datagram_server`.
///
///     weft::stream_server server(weft::address::parse("127.0.0.1:7"), [](weft::stream_socket s) {
///       char buffer[1024];
///       while (std::size_t n = s.read_some(buffer)) s.write_all({buffer, n});
///     });
///     server.serve();                         // until another fiber says server.stop(5s)
///
/// A handler is called with the socket, or with the socket and the peer's address; and, if it takes one first, with the server's
/// `stop_token`. The connection is closed when the handler returns or throws, unless it has moved the socket away. How it begins
/// and ends stands in basic_server.hpp.
///
/// Order     Connections are accepted in the order of their coming and begin to be served in that order.
/// Errors    What a handler throws goes to `on_error`; so do errors of accept that pass, and it tries again.
/// Threads   Fibers run on the hub that called `start`, or on those of the options.
/// Cost      A connection: accept4, one fiber, one close.
class stream_server : public basic_server {
 public:
  /// @param at  where to listen; port 0: see local_address()
  /// @throws std::system_error  it cannot listen there; std::invalid_argument  @p handler is empty (a null pointer)
  template <class Handler>
  stream_server(const address& at, Handler&& handler, const server_options& options = {},
                const listen_options& listening = {})
      : stream_server(at, wrap(std::forward<Handler>(handler)), takes_address<Handler>, options, listening) {}
  /// Takes over a listener. One that is closed is taken, too: then `join` throws EBADF.
  template <class Handler>
  stream_server(listener from, Handler&& handler, const server_options& options = {})
      : stream_server(std::move(from), wrap(std::forward<Handler>(handler)), takes_address<Handler>, options) {}

  /// @throws std::system_error  EBADF when it has stopped
  address local_address() const;
  /// Connections being served.
  std::size_t connections() const noexcept;

 private:
  using handler_function = std::function<void(const std::stop_source& stopping, stream_socket, const address&)>;
  struct state;

  template <class Handler, class... Args>
  static constexpr bool takes = std::is_invocable_v<std::decay_t<Handler>&, Args...>;
  template <class Handler>
  static constexpr bool takes_address =
      takes<Handler, stream_socket, const address&> || takes<Handler, std::stop_token, stream_socket, const address&>;
  template <class Handler>
  static handler_function wrap(Handler&& h) {
    if (detail::is_empty(h)) throw std::invalid_argument("weft::stream_server: no handler");
    return
        [call = std::forward<Handler>(h)](const std::stop_source& stop, stream_socket s, const address& from) mutable {
          if constexpr (takes<Handler, stream_socket, const address&>) {
            std::invoke(call, std::move(s), from);
          } else if constexpr (takes<Handler, stream_socket>) {
            std::invoke(call, std::move(s));
          } else if constexpr (takes_address<Handler>) {
            std::invoke(call, stop.get_token(), std::move(s), from);
          } else {
            static_assert(
                takes<Handler, std::stop_token, stream_socket>,
                "stream_server: a handler takes ([std::stop_token,] weft::stream_socket [, const weft::address&])");
            std::invoke(call, stop.get_token(), std::move(s));
          }
        };
  }
  stream_server(const address& at, handler_function serve_one, bool wants_address, const server_options& options,
                const listen_options& listening);
  stream_server(listener from, handler_function serve_one, bool wants_address, const server_options& options);
};

}  // namespace weft
