// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "weft/deadline.hpp"
#include "weft/detail/exchange.hpp"
#include "weft/detail/misuse.hpp"
#include "weft/detail/owner.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/timed_lock.hpp"
#include "weft/detail/wait_queue.hpp"

namespace weft {

/// A lock that one writer or any number of readers hold; std::shared_mutex and std::shared_timed_mutex for fibers.
///
/// It pays when readers suspend, or read for long on several hubs; for short sections a `mutex` costs less. Readers lock
/// with std::shared_lock, writers with std::lock_guard or std::unique_lock.
///
///     weft::shared_mutex m;
///     const std::shared_lock reading(m);
///
/// Blocking  Both kinds of lock suspend while they have to wait; only the calling fiber sleeps, or a thread without a hub.
/// Order     First come, first served, readers that stand next to each other together. A reader that comes while a writer
///           waits goes behind it, so neither kind starves. A reader that locks again before it has unlocked therefore waits
///           for ever once a writer has come between: it must not.
/// Timeout   A passed deadline still succeeds if no wait is needed. `try_lock_for`, `try_lock_shared_for` and their `_until` are
///           the calls with a deadline under the names of std::shared_timed_mutex.
/// Cancel    Both are cancellation points if they have to wait. Who is cancelled has not locked, and readers behind a writer
///           that gave up go on at once.
/// Threads   Safe from fibers of all hubs and from plain threads at once. It belongs to the fiber, not to its OS thread.
/// Lifetime  May be destroyed as soon as the last holder has unlocked it. Destroying it while someone holds it or waits for
///           it aborts.
/// Cost      40 bytes. Without contention one compare-and-swap each way, inline. Readers of several hubs share its cache line.
class shared_mutex : public detail::timed_lock<shared_mutex>, public detail::timed_shared_lock<shared_mutex> {
 public:
  constexpr shared_mutex() noexcept = default;
  shared_mutex(const shared_mutex&) = delete;
  shared_mutex& operator=(const shared_mutex&) = delete;
  ~shared_mutex() {
    if (state_.load(std::memory_order_acquire) != 0) [[unlikely]]
      detail::destroyed_in_use("shared_mutex", this);
  }

  /// For writing.
  /// @throws cancelled
  /// @throws std::system_error  (resource_deadlock_would_occur) the caller has locked it for writing
  void lock() { static_cast<void>(lock(deadline::never())); }
  /// @return whether it was locked before @p by passed
  [[nodiscard]] bool lock(deadline by) { return try_lock() || lock_slowly(by); }
  /// @return whether nobody held it, and the caller does now. Never suspends.
  [[nodiscard]] bool try_lock() noexcept {
    std::uint64_t free = 0;
    if (!detail::exchange_if(state_, free, writing)) return false;
    writer_.store(detail::this_owner(), std::memory_order_relaxed);
    return true;
  }
  /// @throws std::system_error  (operation_not_permitted) the caller has not locked it for writing; nothing has changed then
  void unlock() {
    if (!written_by_caller()) [[unlikely]]
      detail::throw_not_owner("weft::shared_mutex::unlock by another than its writer");
    writer_.store(0, std::memory_order_relaxed);
    std::uint64_t held = writing;
    if (!detail::exchange_if(state_, held, 0)) unlock_slowly();
  }

  /// For reading.
  /// @throws cancelled
  /// @throws std::system_error  (resource_deadlock_would_occur) the caller has locked it for writing
  void lock_shared() { static_cast<void>(lock_shared(deadline::never())); }
  /// @return whether it was locked before @p by passed
  [[nodiscard]] bool lock_shared(deadline by) { return try_lock_shared() || lock_shared_slowly(by); }
  /// @return whether no writer held it or waited for it, and the caller reads now. Never suspends.
  [[nodiscard]] bool try_lock_shared() noexcept {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    while ((seen & (writing | waiting)) == 0) {
      if (detail::exchange_if(state_, seen, seen + reader)) {
        return true;
      }
    }
    return false;
  }
  /// @throws std::system_error  (operation_not_permitted) nobody has locked it for reading; nothing has changed then
  void unlock_shared() {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    while (seen >= reader && (seen & waiting) == 0) {
      if (detail::exchange_if(state_, seen, seen - reader)) return;
    }
    unlock_shared_slowly();
  }

 private:
  // The parts of `state_`. `waiting` is up exactly while `waiters_` has somebody, but for moments in which `lock_` is held.
  static constexpr std::uint64_t writing = 1;
  static constexpr std::uint64_t waiting = 2;
  static constexpr std::uint64_t reader = 4;  // times their number

  bool written_by_caller() const noexcept {
    const detail::owner_id writer = writer_.load(std::memory_order_relaxed);
    if (writer == detail::this_owner()) return true;
    return (writer & detail::thread_tag) != 0 && detail::was_this_owner(writer);
  }
  bool lock_slowly(deadline by);
  bool lock_shared_slowly(deadline by);
  void unlock_slowly() noexcept;
  void unlock_shared_slowly();
  bool wait_for_it(deadline by, std::uint64_t kind);
  void hand_over(std::uint64_t kept) noexcept;

  std::atomic<std::uint64_t> state_{0};
  std::atomic<detail::owner_id> writer_{0};
  detail::wait_queue waiters_;
  detail::spinlock lock_;
};

/// Every weft::shared_mutex can time out.
using shared_timed_mutex = shared_mutex;

}  // namespace weft
