// SPDX-License-Identifier: MIT
#include "weft/shared_mutex.hpp"

#include <mutex>

#include "sync/waiting.hpp"

namespace weft {

namespace {
// A node's slot says what its owner waits for.
void* slot_of(std::uint64_t kind) noexcept { return reinterpret_cast<void*>(kind); }
bool is_writer(const detail::wait_node& node, std::uint64_t writing) noexcept { return node.slot == slot_of(writing); }
}  // namespace

bool shared_mutex::lock_slowly(deadline by) {
  if (written_by_caller()) detail::throw_would_deadlock("weft::shared_mutex::lock by its writer");
  if (!wait_for_it(by, writing)) return false;
  writer_.store(detail::this_owner(), std::memory_order_relaxed);
  return true;
}

bool shared_mutex::lock_shared_slowly(deadline by) {
  if (written_by_caller()) detail::throw_would_deadlock("weft::shared_mutex::lock_shared by its writer");
  return wait_for_it(by, reader);
}

bool shared_mutex::wait_for_it(deadline by, std::uint64_t kind) {
  detail::wait_node node;
  node.slot = slot_of(kind);
  node.who = prepare_park();
  const std::uint64_t barred_by = kind == writing ? ~std::uint64_t{0} : writing | waiting;
  {
    const std::lock_guard guard(lock_);
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    for (;;) {
      if ((seen & barred_by) == 0) {
        if (state_.compare_exchange_weak(seen, seen + kind, std::memory_order_acquire, std::memory_order_relaxed)) {
          return true;
        }
      } else if ((seen & waiting) != 0 ||
                 state_.compare_exchange_weak(seen, seen | waiting, std::memory_order_relaxed)) {
        break;
      }
    }
    waiters_.push(node);
  }
  const int ended = park(node.who, by, this);
  if (ended == woken) return true;
  lock_.lock();
  if (!waiters_.remove(node)) {
    lock_.unlock();
    return true;
  }
  // It may have been a writer who kept readers behind it waiting.
  hand_over(state_.load(std::memory_order_acquire) & ~waiting);
  if (ended == cancelled_wait) throw_cancelled();
  return false;
}

void shared_mutex::unlock_slowly() noexcept {
  std::uint64_t seen = writing;
  for (;;) {
    // Nothing of it may be touched after this: the next holder may destroy it.
    if (state_.compare_exchange_strong(seen, 0, std::memory_order_release, std::memory_order_relaxed)) return;
    lock_.lock();
    if (!waiters_.empty()) return hand_over(0);
    // Those who waited have given up meanwhile, or live in the parent of a fork.
    state_.fetch_and(~waiting, std::memory_order_relaxed);
    lock_.unlock();
    seen = writing;
  }
}

void shared_mutex::unlock_shared_slowly() {
  std::uint64_t seen = state_.load(std::memory_order_relaxed);
  for (;;) {
    if (seen < reader) detail::throw_not_owner("weft::shared_mutex::unlock_shared without a reader");
    if ((seen & waiting) == 0) {
      if (state_.compare_exchange_weak(seen, seen - reader, std::memory_order_release, std::memory_order_relaxed))
        return;
      continue;
    }
    lock_.lock();
    // Acquired: readers who have left before released by this word alone, and who is woken must be behind them, too.
    if (!waiters_.empty()) return hand_over((state_.load(std::memory_order_acquire) & ~waiting) - reader);
    seen = state_.fetch_and(~waiting, std::memory_order_relaxed) & ~waiting;
    lock_.unlock();
  }
}

// With `lock_` held, which it unlocks: the holders that stay are @p kept; gives what is free then to those first in the queue.
void shared_mutex::hand_over(std::uint64_t kept) noexcept {
  detail::wait_queue served;
  if (kept != writing) {
    while (detail::wait_node* const node = waiters_.front()) {
      if (is_writer(*node, writing)) {
        if (kept != 0) break;
        kept = writing;
      } else {
        kept += reader;
      }
      waiters_.remove(*node);
      served.push(*node);
      if (kept == writing) break;
    }
  }
  state_.store(kept | (waiters_.empty() ? 0 : waiting), std::memory_order_release);
  sync::wake_all_and_unlock(lock_, served);
}

}  // namespace weft
