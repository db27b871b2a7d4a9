// SPDX-License-Identifier: MIT
#include "weft/event.hpp"

#include <mutex>

#include "sync/waiting.hpp"

namespace weft {

void event::set_slowly() noexcept {
  lock_.lock();
  // Under the lock those who wait stay, and nobody joins them once the flag is up. `wait` returns only when the lock is free
  // again, since its caller may destroy the event then.
  state_.store(watchers_.empty() ? up : up | watched, std::memory_order_release);
  watchers_.notify();
  sync::wake_all_and_unlock(lock_, waiters_);
}

bool event::wait_slowly(deadline by) {
  detail::wait_node node;
  node.who = prepare_park();
  {
    const std::lock_guard guard(lock_);
    std::uint32_t seen = state_.load(std::memory_order_acquire);
    for (;;) {
      if ((seen & up) != 0) return true;
      if ((seen & waiting) != 0 ||
          state_.compare_exchange_weak(seen, seen | waiting, std::memory_order_acquire, std::memory_order_acquire)) {
        break;
      }
    }
    waiters_.push(node);
  }
  return sync::sleep_until_served(lock_, waiters_, node, by, this, [this] {
    if (waiters_.empty()) state_.fetch_and(~waiting, std::memory_order_relaxed);
  });
}

void event::add_waiter(detail::subscription& s) noexcept {
  const std::lock_guard guard(lock_);
  watchers_.add(s);
  if ((state_.fetch_or(watched, std::memory_order_acquire) & up) != 0) s.notify(s);
}

void event::remove_waiter(detail::subscription& s) noexcept {
  const std::lock_guard guard(lock_);
  watchers_.remove(s);
  if (watchers_.empty()) state_.fetch_and(~watched, std::memory_order_relaxed);
}

}  // namespace weft
