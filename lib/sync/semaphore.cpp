// SPDX-License-Identifier: MIT
#include "weft/semaphore.hpp"

#include <mutex>

#include "sync/waiting.hpp"

namespace weft::detail {

bool semaphore::acquire_slowly(deadline by) {
  wait_node node;
  node.who = prepare_park();
  {
    const std::lock_guard guard(lock_);
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    for (;;) {
      if (seen >= unit) {
        if (state_.compare_exchange_weak(seen, seen - unit, std::memory_order_acquire, std::memory_order_relaxed)) {
          return true;
        }
      } else if ((seen & waiting) != 0 ||
                 state_.compare_exchange_weak(seen, seen | waiting, std::memory_order_relaxed)) {
        break;
      }
    }
    waiters_.push(node);
  }
  return sync::sleep_until_served(lock_, waiters_, node, by, this, [this] {
    if (waiters_.empty()) state_.fetch_and(~waiting, std::memory_order_relaxed);
  });
}

void semaphore::release_slowly(std::ptrdiff_t units) {
  while (units != 0) {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    if (!fits(seen, units)) throw_too_many("weft semaphore: release");
    if ((seen & (waiting | watched)) == 0) {
      // Nothing of it may be touched after this: who takes the unit may destroy it.
      const std::uint64_t more = seen + static_cast<std::uint64_t>(units) * unit;
      if (state_.compare_exchange_weak(seen, more, std::memory_order_release, std::memory_order_relaxed)) return;
      continue;
    }
    lock_.lock();
    wait_queue served;
    for (; units != 0 && !waiters_.empty(); --units) served.push(*waiters_.pop_front());
    if (waiters_.empty()) seen = state_.fetch_and(~waiting, std::memory_order_relaxed) & ~waiting;
    // Who watches has the semaphore live on, so what is left may be added before the lock is free. Only under the lock are
    // there more units while somebody watches.
    if (units != 0 && !watchers_.empty() && fits(seen, units)) {
      state_.fetch_add(static_cast<std::uint64_t>(units) * unit, std::memory_order_release);
      units = 0;
      watchers_.notify();
    }
    sync::wake_all_and_unlock(lock_, served);
  }
}

void semaphore::add_waiter(subscription& s) noexcept {
  const std::lock_guard guard(lock_);
  watchers_.add(s);
  if (state_.fetch_or(watched, std::memory_order_acquire) >= unit) s.notify(s);
}

void semaphore::remove_waiter(subscription& s) noexcept {
  const std::lock_guard guard(lock_);
  watchers_.remove(s);
  if (watchers_.empty()) state_.fetch_and(~watched, std::memory_order_relaxed);
}

}  // namespace weft::detail
