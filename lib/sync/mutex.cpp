// SPDX-License-Identifier: MIT
#include "weft/mutex.hpp"

#include <mutex>

#include "core/hub.hpp"
#include "sync/waiting.hpp"

namespace weft {

namespace {

using detail::owner_id;

constexpr owner_id waiting = 1;

// Whether the holder may run at this moment while the caller does.
bool runs_elsewhere(owner_id holder) noexcept {
  if ((holder & detail::thread_tag) != 0) return true;
  return reinterpret_cast<const core::fiber*>(holder)->home != weft_this_hub;
}

}  // namespace

bool mutex::lock_slowly(owner_id self, deadline by) {
  if (held_by(self)) detail::throw_would_deadlock("weft::mutex::lock by its holder");
  // Most locks are held for less time than two switches take, and far less than it takes to wake another hub or a thread.
  // Only as long as nobody waits, or this would overtake.
  constexpr int looks = 25;
  for (int i = 0; i < looks; ++i) {
    owner_id seen = word_.load(std::memory_order_acquire);
    if (seen == 0) {
      if (word_.compare_exchange_strong(seen, self, std::memory_order_acq_rel, std::memory_order_relaxed)) return true;
    } else if ((seen & waiting) != 0 || !runs_elsewhere(seen)) {
      break;
    }
    __builtin_ia32_pause();
  }
  return wait_for_it(self, by, false);
}

void mutex::lock_shielded() {
  const owner_id self = detail::this_owner();
  owner_id free = 0;
  if (!word_.compare_exchange_strong(free, self, std::memory_order_acq_rel, std::memory_order_relaxed)) {
    wait_for_it(self, deadline::never(), true);
  }
}

bool mutex::wait_for_it(owner_id self, deadline by, bool shielded) {
  detail::wait_node node;
  node.slot = reinterpret_cast<void*>(self);
  node.who = prepare_park();
  {
    const std::lock_guard guard(lock_);
    owner_id seen = word_.load(std::memory_order_relaxed);
    for (;;) {
      if (seen == 0) {
        if (word_.compare_exchange_weak(seen, self, std::memory_order_acq_rel, std::memory_order_relaxed)) return true;
      } else if ((seen & waiting) != 0 ||
                 word_.compare_exchange_weak(seen, seen | waiting, std::memory_order_relaxed)) {
        break;
      }
    }
    waiters_.push(node);
  }
  if (shielded) return park_shielded(node.who, by, this) == woken;
  return sync::sleep_until_served(lock_, waiters_, node, by, this, [this] {
    if (waiters_.empty()) word_.fetch_and(~waiting, std::memory_order_relaxed);
  });
}

void mutex::unlock_slowly(owner_id self) {
  owner_id seen = word_.load(std::memory_order_relaxed);
  if ((seen & ~waiting) != self && !detail::was_this_owner(seen & ~waiting)) {
    detail::throw_not_owner("weft::mutex::unlock by another than its holder");
  }
  waker next;
  for (;;) {
    if ((seen & waiting) == 0) {
      // Nothing of the mutex may be touched after this: its next holder may destroy it.
      if (word_.compare_exchange_weak(seen, 0, std::memory_order_release, std::memory_order_relaxed)) return;
      continue;
    }
    const std::lock_guard guard(lock_);
    if (detail::wait_node* const node = waiters_.pop_front()) {
      next = node->who;
      word_.store(reinterpret_cast<owner_id>(node->slot) | (waiters_.empty() ? 0 : waiting), std::memory_order_release);
      break;
    }
    // Those who waited have given up meanwhile, or live in the parent of a fork.
    seen = word_.fetch_and(~waiting, std::memory_order_relaxed) & ~waiting;
  }
  unpark(next);
}

}  // namespace weft
