// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "weft/deadline.hpp"
#include "weft/detail/clock.hpp"
#include "weft/detail/exchange.hpp"
#include "weft/detail/misuse.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/subscription.hpp"
#include "weft/detail/wait_queue.hpp"

namespace weft {

namespace detail {
/// What the semaphores share; their reference is that of `counting_semaphore`.
class semaphore {
 public:
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;
  ~semaphore() {
    if (is_awaited()) [[unlikely]]
      destroyed_in_use("semaphore", this);
  }

  /// @throws cancelled
  void acquire() { static_cast<void>(acquire(deadline::never())); }
  /// @return whether a unit was taken before @p by passed
  [[nodiscard]] bool acquire(deadline by) { return try_acquire() || acquire_slowly(by); }
  /// @return whether there was a unit, and the caller has it now. Never suspends.
  [[nodiscard]] bool try_acquire() noexcept {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    while (seen >= unit) {
      if (exchange_if(state_, seen, seen - unit)) {
        return true;
      }
    }
    return false;
  }
  template <class Rep, class Period>
  [[nodiscard]] bool try_acquire_for(const std::chrono::duration<Rep, Period>& wait) {
    return acquire(deadline(wait));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_acquire_until(const std::chrono::time_point<Clock, Duration>& point) {
    return acquire(to_deadline(point));
  }

  /// Gives @p units back, to those who wait longest first. Never suspends.
  /// @throws std::system_error  (value_too_large) there would be more than allowed, or @p units is negative; nothing has
  ///         changed then
  void release(std::ptrdiff_t units = 1) {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    while ((seen & (waiting | watched)) == 0 && fits(seen, units)) {
      const std::uint64_t more = seen + static_cast<std::uint64_t>(units) * unit;
      if (exchange_if(state_, seen, more)) return;
    }
    release_slowly(units);
  }

  /// Units there are at this moment; others may take them before the caller does.
  std::ptrdiff_t available() const noexcept {
    return static_cast<std::ptrdiff_t>(state_.load(std::memory_order_relaxed) / unit);
  }

  // What a waitable offers: see waitable.hpp.
  bool ready() const noexcept { return available() != 0; }
  void add_waiter(subscription& s) noexcept;
  void remove_waiter(subscription& s) noexcept;

  /// More units than this no semaphore holds.
  static constexpr std::ptrdiff_t limit = std::numeric_limits<std::ptrdiff_t>::max() / 4;

 protected:
  constexpr semaphore(std::ptrdiff_t units, std::ptrdiff_t most)
      : state_(units < 0 || units > most ? (throw_too_many("weft semaphore"), 0)
                                         : static_cast<std::uint64_t>(units) * unit),
        most_(most) {}

 private:
  friend class pool_room;  // whose part it is, and which says so itself when it is destroyed while fibers wait

  bool is_awaited() const noexcept { return (state_.load(std::memory_order_acquire) & (waiting | watched)) != 0; }
  // The parts of `state_`. `waiting` is up exactly while `waiters_` has somebody, and there are no units then; `watched` while
  // `watchers_` has: both but for moments in which `lock_` is held.
  static constexpr std::uint64_t waiting = 1;
  static constexpr std::uint64_t watched = 2;
  static constexpr std::uint64_t unit = 4;  // times their number

  bool fits(std::uint64_t state, std::ptrdiff_t units) const noexcept {
    return units >= 0 && units <= most_ - static_cast<std::ptrdiff_t>(state / unit);
  }
  bool acquire_slowly(deadline by);
  void release_slowly(std::ptrdiff_t units);

  std::atomic<std::uint64_t> state_;
  std::ptrdiff_t most_;
  wait_queue waiters_;
  subscription_list watchers_;
  spinlock lock_;
};
}  // namespace detail

/// A number of units that fibers and threads take and give back; std::counting_semaphore for fibers, gevent's Semaphore.
///
/// Use it to limit how many do something at once, or to count what there is to do. Unlike a mutex it belongs to nobody: one
/// may take what another gives. For values use a `channel`, for a mere "it has happened" an `event`.
///
///     weft::counting_semaphore slots(10);
///     slots.acquire();
///
/// Blocking  `acquire` suspends while there is no unit; only the calling fiber sleeps, or a thread without a hub.
/// Order     First come, first served: `release` hands a unit to who waits longest, and nobody can overtake that one. For
///           `wait` over several objects it is ready while there is a unit, and none is taken; the `on_acquire` of a
///           `select` takes one, and gets what those leave who wait in `acquire`.
/// Timeout   A passed deadline still succeeds if there is a unit.
/// Cancel    `acquire` is a cancellation point if it has to wait; a cancelled `acquire` took none.
/// Threads   Safe from fibers of all hubs and from plain threads at once.
/// Lifetime  May be destroyed by who got the last unit, also when the `release` that gave it has not returned yet.
///           Destroying it while someone waits aborts.
/// Cost      56 bytes. Without a wait one compare-and-swap each way, inline.
///
/// @tparam Most  how many units there may be; a `release` beyond it throws
template <std::ptrdiff_t Most = detail::semaphore::limit>
class counting_semaphore : public detail::semaphore {
 public:
  static_assert(Most >= 0 && Most <= detail::semaphore::limit);
  /// @throws std::system_error  (value_too_large) @p units is negative or above `max()`
  constexpr explicit counting_semaphore(std::ptrdiff_t units) : semaphore(units, Most) {}
  static constexpr std::ptrdiff_t max() noexcept { return Most; }
};

/// A semaphore of at most one unit; std::binary_semaphore for fibers.
using binary_semaphore = counting_semaphore<1>;

/// A counting_semaphore that never has more units than it began with; gevent's BoundedSemaphore. It tells the mistake of
/// giving back what was not taken: that `release` throws std::system_error (value_too_large).
class bounded_semaphore : public detail::semaphore {
 public:
  /// @throws std::system_error  (value_too_large) @p units is negative or above `detail::semaphore::limit`
  constexpr explicit bounded_semaphore(std::ptrdiff_t units = 1) : semaphore(units, units <= limit ? units : limit) {}
};

}  // namespace weft
