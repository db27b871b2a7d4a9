// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>

#include "weft/deadline.hpp"
#include "weft/event.hpp"

namespace weft {

/// Waits until a number of things have happened, once; std::latch for fibers.
///
/// Use `barrier` to meet again and again, `event` for a single thing, a `group` or `scope` to wait for fibers themselves.
///
///     weft::latch loaded(3);
///     loaded.wait();  // returns behind the third loaded.count_down()
///
/// Blocking  `wait` suspends until the count is zero; only the calling fiber sleeps, or a thread without a hub.
/// Order     Zero wakes all, in the order of their coming. For `wait` over several objects and for `select` it is ready from
///           then on.
/// Timeout   A passed deadline still succeeds if the count is zero.
/// Cancel    `wait` and `arrive_and_wait` are cancellation points if they have to wait; what was counted down stays so.
/// Threads   Safe from fibers of all hubs and from plain threads at once. What was written before `count_down` is seen behind
///           `wait`.
/// Lifetime  May be destroyed by who returned from `wait`. Destroying it while someone waits aborts.
/// Cost      32 bytes. One compare-and-swap for each `count_down`.
class latch {
 public:
  static constexpr std::ptrdiff_t max() noexcept { return PTRDIFF_MAX; }

  /// @throws std::system_error  (value_too_large) @p expected is negative
  constexpr explicit latch(std::ptrdiff_t expected)
      : left_(expected < 0 ? (detail::throw_too_many("weft::latch"), 0) : expected), zero_(expected == 0) {}
  latch(const latch&) = delete;
  latch& operator=(const latch&) = delete;
  ~latch() {
    if (zero_.is_awaited()) [[unlikely]]
      detail::destroyed_in_use("latch", this);
  }

  /// Never suspends.
  /// @throws std::system_error  (value_too_large) @p n is negative or more than is left; nothing has changed then
  void count_down(std::ptrdiff_t n = 1) {
    std::ptrdiff_t left = left_.load(std::memory_order_relaxed);
    do {
      if (n < 0 || n > left) detail::throw_too_many("weft::latch::count_down");
      if (n == 0) return;
    } while (!left_.compare_exchange_weak(left, left - n, std::memory_order_acq_rel, std::memory_order_relaxed));
    if (left == n) zero_.set();
  }
  /// @return whether the count is zero
  [[nodiscard]] bool try_wait() const noexcept { return zero_.is_set(); }
  // What a waitable offers: see waitable.hpp.
  bool ready() const noexcept { return try_wait(); }
  void add_waiter(detail::subscription& s) noexcept { zero_.add_waiter(s); }
  void remove_waiter(detail::subscription& s) noexcept { zero_.remove_waiter(s); }

  /// @return true, or false if @p by passed before the count was zero
  /// @throws cancelled
  bool wait(deadline by = deadline::never()) { return zero_.wait(by); }
  /// `count_down`, then `wait`. Fails as `count_down` does, before it waits.
  bool arrive_and_wait(std::ptrdiff_t n = 1, deadline by = deadline::never()) {
    count_down(n);
    return wait(by);
  }

 private:
  std::atomic<std::ptrdiff_t> left_;
  event zero_;
};

}  // namespace weft
