// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/address.hpp"
#include "weft/detail/empty_function.hpp"
#include "weft/fiber.hpp"
#include "weft/hub.hpp"
#include "weft/listener.hpp"
#include "weft/stream_socket.hpp"

namespace weft {

/// How a server serves; the defaults suit nearly all.
struct server_options {
  /// Connections (messages, in a datagram_server) that are served at once at most. While there are so many none is accepted:
  /// further ones wait in the kernel's backlog. With 0 none is ever served.
  std::size_t limit = std::numeric_limits<std::size_t>::max();
  /// So many are accepted in a row before fibers that are ready run; 0 is as 1.
  std::size_t accept_budget = 64;
  /// After accept has failed for want of descriptors or memory it is tried again after this time, doubled each time up to
  /// the longest one. Zero or less: at once, behind the fibers that are ready.
  std::chrono::nanoseconds first_back_off = std::chrono::milliseconds(10);
  std::chrono::nanoseconds longest_back_off = std::chrono::seconds(1);
  /// Where connections are accepted and served: one listener on each of these hubs, all at the same port, among which the
  /// kernel spreads what comes (SO_REUSEPORT); one that was taken over, or is a Unix socket's, they share. None: on the hub
  /// that calls `start`. The limit is that of all together.
  std::vector<hub> hubs{};
  /// How the fibers of the connections are made.
  fiber_attributes fibers{.name = "connection"};
  /// Told of every exception that leaves a handler, and of each back-off. It may not throw. None: a line on standard error,
  /// but nothing for what peers do all the time (reset, broken pipe, end of stream, time-out).
  std::function<void(std::exception_ptr)> on_error{};
};

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
/// A handler is called with the socket, or with the socket and the peer's address. The connection is closed when the handler
/// returns or throws, unless it has moved the socket away.
///
/// Blocking  `serve`, `join` and `stop` suspend; `start` does not.
/// Order     Connections are accepted in the order of their coming and begin to be served in that order.
/// Cancel    A cancelled `serve` stops the server, without grace; so does a cancelled `stop`, whose grace is over then: the handlers are
///           cancelled, and waited for, before it throws. A cancelled `join` changes nothing. `stop` cancels handlers by `cancelled`.
/// Threads   All calls from any fiber of any thread, but the destructor. Fibers run on the hub that called `start`, or on those
///           of the options.
/// Lifetime  Destruction stops it without grace, and ends `serve` and `join` of others. A handler may stop its server, and destroy it;
///           then neither waits for that handler. One that was moved away serves nobody: its calls throw std::logic_error.
/// Cost      A connection: accept4, one fiber, one close.
class stream_server {
 public:
  /// @param at  where to listen; port 0: see local_address()
  /// @throws std::system_error  it cannot listen there; std::invalid_argument  @p handler is empty (a null pointer)
  template <class Handler>
  stream_server(const address& at, Handler&& handler, const server_options& options = {},
                const listen_options& listening = {})
      : stream_server(at, wrap(std::forward<Handler>(handler)), takes_address<Handler>, options, listening) {}
  template <class Handler>
  stream_server(listener from, Handler&& handler, const server_options& options = {})
      : stream_server(std::move(from), wrap(std::forward<Handler>(handler)), takes_address<Handler>, options) {}
  stream_server(stream_server&&) noexcept;
  /// Ends the one that was here, as its destruction does.
  stream_server& operator=(stream_server&&) noexcept;
  ~stream_server();

  /// Begins to accept. Nothing happens if it has begun, or was stopped.
  void start();
  /// Starts, and waits until it is stopped and the last connection has ended.
  /// @return false if @p by passed first: it goes on
  bool serve(deadline by = deadline::never());
  /// Waits until it is stopped and the last connection has ended.
  /// @return false if @p by passed first
  bool join(deadline by = deadline::never());

  /// Stops: accepts no more, at once. Connections may go on until @p grace, which they can see coming (`stop_token`);
  /// those that then have not ended are cancelled, and waited for. From a handler it does not wait for that handler.
  /// @return whether all ended by themselves
  bool stop(deadline grace = std::chrono::seconds(1));
  /// Tells handlers that keep connections open that the server is stopping.
  std::stop_token stop_token() const noexcept;

  address local_address() const;
  /// Connections being served.
  std::size_t connections() const noexcept;
  bool running() const noexcept;

 private:
  using handler_function = std::function<void(stream_socket, const address&)>;
  struct state;

  template <class Handler>
  static constexpr bool takes_address = std::is_invocable_v<std::decay_t<Handler>&, stream_socket, const address&>;
  template <class Handler>
  static handler_function wrap(Handler&& h) {
    if (detail::is_empty(h)) throw std::invalid_argument("weft::stream_server: no handler");
    if constexpr (takes_address<Handler>) {
      return std::forward<Handler>(h);
    } else {
      return [call = std::forward<Handler>(h)](stream_socket s, const address&) mutable { call(std::move(s)); };
    }
  }
  stream_server(const address& at, handler_function serve_one, bool wants_address, const server_options& options,
                const listen_options& listening);
  stream_server(listener from, handler_function serve_one, bool wants_address, const server_options& options);

  const std::shared_ptr<state>& shared() const;

  std::shared_ptr<state> state_;
};

}  // namespace weft
