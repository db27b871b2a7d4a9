// SPDX-License-Identifier: MIT
#include "weft/detail/condition.hpp"

#include <mutex>

#include "base/syscall.hpp"
#include "core/scheduler.hpp"
#include "sync/waiting.hpp"
#include "weft/detail/misuse.hpp"

namespace weft::detail {

condition::waiter::waiter(condition& at, bool sleeps_next) : at_(&at) {
  if (sleeps_next) node_.who = prepare_park();
  at.inside_.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard guard(at.lock_);
  at.waiters_.push(node_);
}

condition::waiter::~waiter() {
  if (at_ == nullptr) return;
  {
    const std::lock_guard guard(at_->lock_);
    at_->waiters_.remove(node_);
  }
  leave();
}

void condition::waiter::leave() noexcept {
  // The last touch: `~condition` waits for it.
  at_->inside_.fetch_sub(1, std::memory_order_release);
  at_ = nullptr;
}

bool condition::waiter::sleep(deadline by, const void* object) {
  bool notified = false;
  if (node_.who.target == nullptr) {
    const waker who = prepare_park();
    const std::lock_guard guard(at_->lock_);
    notified = !node_.queued;
    node_.who = who;
  }
  if (!notified) notified = sync::sleep_until_served(at_->lock_, at_->waiters_, node_, by, object, [] {});
  leave();
  return notified;
}

void condition::notify_one() noexcept {
  waker who{};
  {
    const std::lock_guard guard(lock_);
    if (wait_node* const node = waiters_.pop_front()) who = node->who;
  }
  if (who.target != nullptr) unpark(who);
}

void condition::notify_all() noexcept {
  lock_.lock();
  sync::wake_all_and_unlock(lock_, waiters_);
}

void condition::wait_until_left() noexcept {
  if (in_static_storage(this)) return;
  lock_.lock();
  const bool someone_waits = !waiters_.empty();
  lock_.unlock();
  if (someone_waits) destroyed_in_use("condition_variable", this);
  while (inside_.load(std::memory_order_acquire) != 0) {
    if (weft_this_hub != nullptr) {
      core::yield_and_poll();
    } else {
      base::raw_syscall(SYS_sched_yield);
    }
  }
}

}  // namespace weft::detail
