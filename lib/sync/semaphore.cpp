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
      } else if (seen == waiting || state_.compare_exchange_weak(seen, waiting, std::memory_order_relaxed)) {
        break;
      }
    }
    waiters_.push(node);
  }
  return sync::sleep_until_served(lock_, waiters_, node, by, this, [this] {
    if (waiters_.empty()) state_.store(0, std::memory_order_relaxed);
  });
}

void semaphore::release_slowly(std::ptrdiff_t units) {
  while (units != 0) {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    if (!fits(seen, units)) throw_too_many("weft semaphore: release");
    if (seen != waiting) {
      // Nothing of it may be touched after this: who takes the unit may destroy it.
      const std::uint64_t more = seen + static_cast<std::uint64_t>(units) * unit;
      if (state_.compare_exchange_weak(seen, more, std::memory_order_release, std::memory_order_relaxed)) return;
      continue;
    }
    lock_.lock();
    wait_queue served;
    for (; units != 0 && !waiters_.empty(); --units) served.push(*waiters_.pop_front());
    if (waiters_.empty()) state_.store(0, std::memory_order_relaxed);
    sync::wake_all_and_unlock(lock_, served);
  }
}

}  // namespace weft::detail
