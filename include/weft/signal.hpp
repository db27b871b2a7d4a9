// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/detail/empty_function.hpp"

namespace weft {

namespace detail {
class signal_source;
}

/// The signals of a set, in the order in which they come, for a fiber to take; for a function to be called see
/// `signal_handler`.
///
///     weft::signal_stream stop({SIGINT, SIGTERM});
///     server.start();
///     stop.receive();
///     server.stop(10s);
///
/// From its construction to its destruction the process does not do what it would without it for these signals: they are
/// written down for every stream that asks for them, in the way of the self-pipe trick. A handler that the program has
/// installed before is called as before; the default action (to end the process) and SIG_IGN are not. With the last stream
/// of a signal its disposition is put back, unless somebody has installed another one since.
///
/// The kernel has to deliver the signal to some thread: one that every thread blocks stays pending, as for any handler.
///
/// Blocking  `receive` suspends the calling fiber while there is none.
/// Order     As the handler ran. Of standard signals the kernel keeps one of a kind until it is delivered. A stream holds
///           some hundred signals for a slow reader; of those beyond, one of a kind is kept, with si_code SI_KERNEL.
/// Cancel    `receive` is a cancellation point; a cancelled one took none.
/// Threads   Any number of fibers may receive; each signal is for one of them. Other streams get it too.
/// Lifetime  In a fork's child nothing comes any more: dispositions are as before the streams, and `receive` throws.
/// Cost      Two descriptors. A signal costs a write and a read beside its delivery.
class signal_stream {
 public:
  /// @throws std::system_error  EINVAL for SIGKILL, SIGSTOP, what is no signal, and those that stand for a fault of the
  ///         running code (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS); or no descriptors are left
  explicit signal_stream(std::initializer_list<int> signals);
  explicit signal_stream(const sigset_t& signals);
  signal_stream(signal_stream&& other) noexcept;
  signal_stream& operator=(signal_stream&& other) noexcept;
  ~signal_stream();

  /// Takes the next signal.
  /// @return nothing if @p by passed first
  /// @throws cancelled; std::system_error (EBADF) on a stream that was moved from, or of a fork's parent
  std::optional<siginfo_t> receive(deadline by = deadline::never());

  /// Whether a signal is there to be taken, unless another fiber is faster.
  bool ready() const noexcept;
  /// Readable, as poll(2) says it, when `ready` is true. For waiting only, not for reading.
  int native_handle() const noexcept;

 private:
  std::unique_ptr<detail::signal_source> source_;
};

/// Waits for one signal of the set. Only while it waits are they taken from their dispositions: a SIGTERM before or behind it
/// ends the process as ever. A loop over signals is for `signal_stream`.
/// @return nothing if @p by passed first
/// @throws what signal_stream throws
std::optional<siginfo_t> signal_wait(std::initializer_list<int> signals, deadline by = deadline::never());

/// Calls a function for each signal that comes, in a new fiber of the hub that made the handler, until it is cancelled.
///
///     weft::signal_handler reload(SIGHUP, [&] { config.load(); });
///
/// What `signal_stream` says of dispositions, forks and errors holds here too. As the function runs in a fiber it may do
/// what any fiber may, and may still run when the next signal comes. An exception that leaves it ends the program.
///
/// Threads   Only for fibers of its hub; elsewhere it throws std::logic_error, or, in the destructor, ends the program.
/// Lifetime  `cancel` and the destructor end it: no further call begins, those that have begun go on.
class signal_handler {
 public:
  /// @param call  called with nothing, or with the siginfo_t of the signal
  /// @throws std::invalid_argument  @p call is empty (a null pointer)
  template <class F>
  signal_handler(int signum, F call) : signal_handler(signum, wrap(std::move(call)), 0) {}
  signal_handler(signal_handler&& other) noexcept;
  signal_handler& operator=(signal_handler&& other) noexcept;
  ~signal_handler();

  /// Ends it; the disposition is put back. May be called again.
  void cancel();

 private:
  class state;
  using function = std::function<void(const siginfo_t&)>;

  template <class F>
  static function wrap(F call) {
    if (detail::is_empty(call)) throw std::invalid_argument("weft::signal_handler: no function");
    if constexpr (std::is_invocable_v<F&, const siginfo_t&>) {
      return call;
    } else {
      return [call = std::move(call)](const siginfo_t&) mutable { call(); };
    }
  }
  signal_handler(int signum, function call, int);

  std::unique_ptr<state> state_;
};

}  // namespace weft
