// SPDX-License-Identifier: MIT
#include "weft/barrier.hpp"

#include <mutex>

#include "sync/waiting.hpp"
#include "weft/detail/misuse.hpp"

namespace weft::detail {

barrier_phases::barrier_phases(std::ptrdiff_t expected) : expected_(expected), left_(expected) {
  if (expected < 0) throw_too_many("weft::barrier");
}

barrier_phases::~barrier_phases() {
  lock_.lock();
  const bool someone_waits = !waiters_.empty() || !watchers_.empty();
  lock_.unlock();
  if (someone_waits) destroyed_in_use("barrier", this);
}

barrier_phases::arrival barrier_phases::arrive(std::ptrdiff_t n, std::ptrdiff_t dropped) {
  {
    const std::lock_guard guard(lock_);
    if (n >= 0 && n <= left_) {
      left_ -= n;
      expected_ -= dropped;
      return {phase_, n != 0 && left_ == 0};
    }
  }
  throw_too_many("weft::barrier::arrive");
}

void barrier_phases::open() noexcept {
  lock_.lock();
  ++phase_;
  left_ = expected_;
  watchers_.notify();
  sync::wake_all_and_unlock(lock_, waiters_);
}

bool barrier_phases::wait(std::uint64_t phase, deadline by, const void* object) {
  wait_node node;
  node.who = prepare_park();
  {
    const std::lock_guard guard(lock_);
    if (phase_ != phase) return true;
    waiters_.push(node);
  }
  return sync::sleep_until_served(lock_, waiters_, node, by, object, [] {});
}

bool barrier_phases::ended(std::uint64_t phase) noexcept {
  const std::lock_guard guard(lock_);
  return phase_ != phase;
}

void barrier_phases::add_waiter(subscription& s, std::uint64_t phase) noexcept {
  const std::lock_guard guard(lock_);
  watchers_.add(s);
  if (phase_ != phase) s.notify(s);
}

void barrier_phases::remove_waiter(subscription& s) noexcept {
  const std::lock_guard guard(lock_);
  watchers_.remove(s);
}

}  // namespace weft::detail
