// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <stop_token>
#include <vector>

#include "weft/deadline.hpp"
#include "weft/fiber_attributes.hpp"
#include "weft/hub.hpp"

namespace weft {

namespace io {
class service;
}

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

/// How a `stream_server` and a `datagram_server` begin, go on and end.
///
/// To end softly it tells by its stop_token, which a handler is given that takes one first, that it is stopping: who waits for
/// a client that may say nothing for an hour ties this wait to it.
///
///     void serve(std::stop_token stop, weft::stream_socket s) {
///       for (;;) {
///         const request r = [&] {
///           const weft::cancel_on_stop idle(stop);  // between two requests it may end
///           return read_request(s);
///         }();
///         answer(s, r);                             // and here it has the time of grace
///       }
///     }
///
/// Blocking  `serve`, `join` and `stop` suspend; `start` does not.
/// Cancel    A cancelled `serve` stops the server, without grace; so does a cancelled `stop`, whose grace is over then: the handlers are
///           cancelled, and waited for, before it throws. A cancelled `join` changes nothing. `stop` cancels handlers by `cancelled`.
/// Threads   All calls from any fiber of any thread, but moving and destroying it.
/// Lifetime  Destruction stops it without grace, and ends `serve` and `join` of others. A handler may stop its server, and destroy it;
///           then neither waits for that handler. One that was moved away serves nobody: its calls throw std::logic_error.
class basic_server {
 public:
  /// Begins to take what comes. Nothing happens if it has begun, or was stopped.
  void start();
  /// Starts, and waits until it is stopped and the last handler has returned.
  /// @return false if @p by passed first: it goes on
  /// @throws std::system_error  as `join`
  bool serve(deadline by = deadline::never());
  /// Waits until it is stopped and the last handler has returned.
  /// @return false if @p by passed first
  /// @throws std::system_error  what it takes from has failed for good, and it has ended
  bool join(deadline by = deadline::never());
  /// Stops: takes no more, at once. Handlers may go on until @p grace, which they can see coming (`stop_token`); those that then
  /// have not ended are cancelled, and waited for. From a handler it does not wait for that handler.
  /// @return whether all ended by themselves
  bool stop(deadline grace = std::chrono::seconds(1));
  /// Tells that the server is stopping. Of one that was moved away: it never does.
  std::stop_token stop_token() const noexcept;
  bool running() const noexcept;

 protected:
  explicit basic_server(std::shared_ptr<io::service> made) noexcept;
  basic_server(basic_server&&) noexcept;
  /// Ends the one that was here, as its destruction does.
  basic_server& operator=(basic_server&& from) noexcept;
  ~basic_server();

  /// @throws std::logic_error  it was moved away
  const std::shared_ptr<io::service>& shared() const;
  std::size_t handlers() const noexcept;

 private:
  std::shared_ptr<io::service> service_;
};

}  // namespace weft
