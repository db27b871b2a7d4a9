// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "weft/deadline.hpp"
#include "weft/detail/clock.hpp"
#include "weft/detail/misuse.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/subscription.hpp"
#include "weft/detail/wait_queue.hpp"

namespace weft {

/// A flag that any number of fibers and threads wait for; gevent's Event. The standard library has none.
///
/// Use it to announce that something has happened. To hand over a value use a `channel` or a future, to count use a
/// `counting_semaphore`, for "n things have happened" a `latch`.
///
///     weft::event ready;
///     weft::spawn([&] { load(); ready.set(); });
///     ready.wait();
///
/// Blocking  `wait` suspends while the flag is down; only the calling fiber sleeps, or a thread without a hub.
/// Order     `set` wakes everybody, in the order of their coming. For `wait` over several objects and for `select` it is ready
///           while the flag is up: who looks only when it is down again waits on.
/// Timeout   A passed deadline still succeeds if the flag is up.
/// Cancel    `wait` is a cancellation point if it has to wait.
/// Threads   Safe from fibers of all hubs and from plain threads at once. What was written before `set` is seen behind the
///           `wait` that it ended.
/// Lifetime  May be destroyed by who returned from `wait`, also when the `set` that ended it has not returned yet (that is
///           not so after `is_set`, which only looks). Destroying it while someone waits aborts.
/// Cost      40 bytes. `set` without waiters: one compare-and-swap. `wait` on a set event: two loads.
class event {
 public:
  constexpr event() noexcept = default;
  /// @param set  whether the flag is up from the start
  constexpr explicit event(bool set) noexcept : state_(set ? up : 0) {}
  event(const event&) = delete;
  event& operator=(const event&) = delete;
  ~event() {
    if (is_awaited()) [[unlikely]]
      detail::destroyed_in_use("event", this);
  }

  /// Puts the flag up and wakes all who wait. Nothing happens if it is up already. Never suspends.
  void set() noexcept {
    // Also if it is up: what the caller did before is then seen by who takes the flag down next.
    std::uint32_t seen = state_.load(std::memory_order_relaxed);
    while ((seen & (waiting | watched)) == 0) {
      if (state_.compare_exchange_weak(seen, up, std::memory_order_acq_rel, std::memory_order_relaxed)) return;
    }
    set_slowly();
  }
  /// Takes the flag down. Who waited when it was set returns true all the same, though it has not run yet.
  void clear() noexcept { state_.fetch_and(~up, std::memory_order_acq_rel); }
  bool is_set() const noexcept { return (state_.load(std::memory_order_acquire) & up) != 0; }
  // What a waitable offers: see waitable.hpp.
  bool ready() const noexcept { return is_set(); }
  void add_waiter(detail::subscription& s) noexcept;
  void remove_waiter(detail::subscription& s) noexcept;

  /// Waits until the flag is up.
  /// @return true if it was up at any moment of the wait, even if it is down again; false if @p by passed first
  /// @throws cancelled
  bool wait(deadline by = deadline::never()) {
    if (is_set() && !lock_.locked()) return true;
    return wait_slowly(by);
  }

 private:
  friend class latch;

  bool is_awaited() const noexcept { return (state_.load(std::memory_order_acquire) & (waiting | watched)) != 0; }

  // The parts of `state_`. `waiting` is up exactly while `waiters_` has somebody, and `watched` while `watchers_` has, but
  // for moments in which `lock_` is held.
  static constexpr std::uint32_t up = 1;
  static constexpr std::uint32_t waiting = 2;
  static constexpr std::uint32_t watched = 4;

  void set_slowly() noexcept;
  bool wait_slowly(deadline by);

  std::atomic<std::uint32_t> state_{0};
  detail::spinlock lock_;
  detail::wait_queue waiters_;
  detail::subscription_list watchers_;
};

}  // namespace weft
