// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <concepts>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <type_traits>

#include "weft/deadline.hpp"
#include "weft/detail/clock.hpp"
#include "weft/detail/condition.hpp"
#include "weft/detail/misuse.hpp"
#include "weft/mutex.hpp"
#include "weft/shield.hpp"

namespace weft {

/// Waits, under a lock, until what the lock protects has become as it should; std::condition_variable for fibers.
///
/// Use it when the condition is your own. For a flag there is `event`, for units `counting_semaphore`, for values `channel`:
/// those need no lock and no loop.
///
///     std::unique_lock lock(m);
///     changed.wait(lock, [&] { return !jobs.empty(); });
///
/// It takes std::unique_lock<weft::mutex> (the quickest), and any other object with `lock` and `unlock`. The calls are those of
/// std::condition_variable_any, and each also takes a deadline as its last parameter.
///
/// Blocking  `wait` suspends; only the calling fiber sleeps, or a thread without a hub. It gives the lock back meanwhile and
///           has it again when it returns or throws, however long that takes. It wakes only when notified.
/// Order     `notify_one` wakes who waits longest; `notify_all` those who wait at the moment of the call, in their order.
/// Timeout   With a predicate a passed deadline still looks at it once.
/// Cancel    `wait` is a cancellation point; the relocking is none. A notification that came first wins, so `notify_one` is
///           never lost to a waiter that was cancelled.
/// Threads   Safe from fibers of all hubs and from plain threads at once, with the lock or without it. All who wait at one time
///           use the same lock; with different ones each gets its own back, and nothing protects what they share.
/// Lifetime  May be destroyed once all who wait have been notified, before they have run. Destroying it while someone waits
///           unnotified aborts.
/// Cost      24 bytes. A wait is a switch away and back; `notify` without waiters is a short lock.
class condition_variable {
 public:
  constexpr condition_variable() noexcept = default;

  /// Wakes one of those who wait, if there are any. Never suspends.
  void notify_one() noexcept { condition_.notify_one(); }
  /// Wakes all who wait. Never suspends.
  void notify_all() noexcept { condition_.notify_all(); }

  /// Waits to be notified.
  /// @return std::cv_status::timeout if @p by passed first
  /// @throws cancelled
  /// @throws std::system_error  (operation_not_permitted) the caller does not hold @p lock
  template <class Lock>
  std::cv_status wait(Lock& lock, deadline by = deadline::never()) {
    return sleep(lock, nullptr, by) ? std::cv_status::no_timeout : std::cv_status::timeout;
  }
  /// Waits until @p holds() is true. @return its last answer: false only if @p by passed
  template <class Lock, std::predicate Predicate>
  bool wait(Lock& lock, Predicate holds, deadline by = deadline::never()) {
    while (!holds()) {
      if (!sleep(lock, nullptr, by)) return holds();
    }
    return true;
  }
  /// The same, ended also by a stop request. @return the last answer of @p holds
  template <class Lock, std::predicate Predicate>
  bool wait(Lock& lock, std::stop_token stop, Predicate holds, deadline by = deadline::never()) {
    const std::stop_callback wake(stop, [this]() noexcept { notify_all(); });
    while (!stop.stop_requested()) {
      if (holds()) return true;
      if (!sleep(lock, &stop, by)) break;
    }
    return holds();
  }

  template <class Lock, class Rep, class Period>
  std::cv_status wait_for(Lock& lock, const std::chrono::duration<Rep, Period>& time) {
    return wait(lock, deadline(time));
  }
  template <class Lock, class Rep, class Period, std::predicate Predicate>
  bool wait_for(Lock& lock, const std::chrono::duration<Rep, Period>& time, Predicate holds) {
    return wait(lock, std::move(holds), deadline(time));
  }
  template <class Lock, class Rep, class Period, std::predicate Predicate>
  bool wait_for(Lock& lock, std::stop_token stop, const std::chrono::duration<Rep, Period>& time, Predicate holds) {
    return wait(lock, std::move(stop), std::move(holds), deadline(time));
  }
  template <class Lock, class Clock, class Duration>
  std::cv_status wait_until(Lock& lock, const std::chrono::time_point<Clock, Duration>& point) {
    return wait(lock, detail::to_deadline(point));
  }
  template <class Lock, class Clock, class Duration, std::predicate Predicate>
  bool wait_until(Lock& lock, const std::chrono::time_point<Clock, Duration>& point, Predicate holds) {
    return wait(lock, std::move(holds), detail::to_deadline(point));
  }
  template <class Lock, class Clock, class Duration, std::predicate Predicate>
  bool wait_until(Lock& lock, std::stop_token stop, const std::chrono::time_point<Clock, Duration>& point,
                  Predicate holds) {
    return wait(lock, std::move(stop), std::move(holds), detail::to_deadline(point));
  }

 private:
  template <class Lock>
  static constexpr bool is_plain = std::is_same_v<Lock, std::unique_lock<mutex>>;

  // Gives the lock back while it lives.
  template <class Lock>
  class unlocked {
   public:
    explicit unlocked(Lock& lock) : lock_(lock) {
      if constexpr (is_plain<Lock>) {
        lock.mutex()->unlock();
      } else {
        lock.unlock();
      }
    }
    unlocked(const unlocked&) = delete;
    unlocked& operator=(const unlocked&) = delete;
    ~unlocked() {  // an exception of `lock` ends the program, as in the standard library
      if constexpr (is_plain<Lock>) {
        lock_.mutex()->lock_shielded();
      } else {
        const shield uncancelled;
        lock_.lock();
      }
    }

   private:
    Lock& lock_;
  };

  // @return false if @p by passed
  template <class Lock>
  bool sleep(Lock& lock, const std::stop_token* stop, deadline by) {
    if constexpr (requires { lock.owns_lock(); }) {
      if (!lock.owns_lock()) detail::throw_not_owner("weft::condition_variable::wait with a lock that is not held");
    }
    detail::condition::waiter self(condition_, is_plain<Lock>);
    // Behind the entry into the queue: a request that comes later finds us there.
    if (stop != nullptr && stop->stop_requested()) return true;
    const unlocked region(lock);
    return self.sleep(by, this);
  }

  detail::condition condition_;
};

/// Every weft::condition_variable takes any lock.
using condition_variable_any = condition_variable;

}  // namespace weft
