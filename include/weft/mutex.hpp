// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

#include "weft/deadline.hpp"
#include "weft/detail/exchange.hpp"
#include "weft/detail/misuse.hpp"
#include "weft/detail/owner.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/timed_lock.hpp"
#include "weft/detail/wait_queue.hpp"

namespace weft {

/// A lock that one fiber or thread holds at a time; std::mutex and std::timed_mutex for fibers.
///
/// Use `recursive_mutex` when the holder may lock again, `shared_mutex` when most only read, `binary_semaphore` when one
/// locks and another unlocks. std::lock_guard, std::unique_lock and std::scoped_lock work on it. Between fibers of one hub
/// data that no suspension point splits needs no lock at all.
///
///     weft::mutex m;
///     const std::lock_guard guard(m);
///
/// Blocking  `lock` suspends while another holds it: a fiber lets others of its hub run, a thread without a hub sleeps
///           itself. If the holder runs on another OS thread, `lock` looks for about a microsecond before that.
/// Order     First come, first served: `unlock` hands it to who waits longest, and nobody can overtake that one. So a
///           fiber that unlocks and locks again at once goes behind those that wait.
/// Timeout   A passed deadline still succeeds if nobody holds it. `try_lock_for` and `try_lock_until` are `lock(deadline)` under
///           the names of std::timed_mutex.
/// Cancel    `lock` is a cancellation point if it has to wait; a cancelled `lock` has not locked.
/// Threads   Safe from fibers of all hubs and from plain threads at once. It belongs to who locked it, the fiber and not
///           its OS thread.
/// Lifetime  May be destroyed as soon as it is unlocked, also when the call that unlocked it has not returned yet.
///           Destroying it while someone holds it or waits for it aborts.
/// Cost      32 bytes. Free: one compare-and-swap each way, inline. Contended between fibers of one hub: a switch. See
///           bench/sync_bench.cpp.
class mutex : public detail::timed_lock<mutex> {
 public:
  constexpr mutex() noexcept = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;
  ~mutex() {
    if (is_used()) [[unlikely]]
      detail::destroyed_in_use("mutex", this);
  }

  /// @throws cancelled
  /// @throws std::system_error  (resource_deadlock_would_occur) the caller holds it already
  void lock() { static_cast<void>(lock(deadline::never())); }
  /// @return whether it was locked before @p by passed
  [[nodiscard]] bool lock(deadline by) { return lock_as(detail::this_owner(), by); }
  /// @return whether it was free, and is the caller's now. Never suspends; false also for the holder.
  [[nodiscard]] bool try_lock() noexcept {
    detail::owner_id free = 0;
    return detail::exchange_if(word_, free, detail::this_owner());
  }

  /// Never suspends.
  /// @throws std::system_error  (operation_not_permitted) the caller does not hold it; nothing has changed then. In the
  ///         destructor of a guard that ends the program.
  void unlock() { unlock_as(detail::this_owner()); }

 private:
  friend class recursive_mutex;
  friend class condition_variable;
  // Whose part it is, and who say so themselves when they are destroyed while it is used.
  friend class once_flag;
  template <class T>
  friend class broadcast;

  bool is_used() const noexcept { return word_.load(std::memory_order_acquire) != 0; }
  bool lock_as(detail::owner_id self, deadline by) {
    detail::owner_id free = 0;
    if (detail::exchange_if(word_, free, self)) [[likely]] {
      return true;
    }
    return lock_slowly(self, by);
  }
  void unlock_as(detail::owner_id self) {
    detail::owner_id held = self;
    if (!detail::exchange_if(word_, held, 0)) [[unlikely]] {
      unlock_slowly(self);
    }
  }
  bool held_by(detail::owner_id self) const noexcept {
    const detail::owner_id holder = word_.load(std::memory_order_relaxed) & ~detail::owner_id{1};
    if (holder == self) return true;
    return (holder & detail::thread_tag) != 0 && detail::was_this_owner(holder);
  }
  bool lock_slowly(detail::owner_id self, deadline by);
  bool wait_for_it(detail::owner_id self, deadline by, bool shielded);
  void unlock_slowly(detail::owner_id self);
  /// `lock` that nothing cancels.
  void lock_shielded();

  // The holder's id; bit 0 is up exactly while `waiters_` has somebody, but for moments in which `lock_` is held. Locking
  // releases too: who finds the id looks into the fiber that it names.
  std::atomic<detail::owner_id> word_{0};
  detail::wait_queue waiters_;
  detail::spinlock lock_;
};

/// Every weft::mutex can time out.
using timed_mutex = mutex;

}  // namespace weft
