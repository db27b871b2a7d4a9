// SPDX-License-Identifier: MIT
#include "weft/detail/completions.hpp"

#include <mutex>

#include "weft/park.hpp"

namespace weft::detail {

void completions::prepare(completion& c) noexcept {
  c.owner = this;
  c.next_ready = nullptr;
  c.listed = false;
  c.notify = notified;
}

void completions::notified(subscription& s) noexcept {
  auto& c = static_cast<completion&>(s);
  completions& to = *c.owner;
  const std::lock_guard guard(to.lock_);
  if (c.listed) return;
  c.listed = true;
  (to.last_ == nullptr ? to.first_ : to.last_->next_ready) = &c;
  to.last_ = &c;
  if (to.waiting_) {
    to.waiting_ = false;
    unpark(to.who_);
  }
}

void completions::again(completion& c) noexcept {
  const std::lock_guard guard(lock_);
  c.listed = false;
}

// Under the lock.
completion* completions::take() noexcept {
  completion* const c = first_;
  if (c != nullptr) first_ = c->next_ready;
  if (first_ == nullptr) last_ = nullptr;
  return c;
}

completion* completions::next(deadline by) {
  const waker who = prepare_park();
  {
    const std::lock_guard guard(lock_);
    if (completion* const c = take()) return c;
    who_ = who;
    waiting_ = true;
  }
  const int ended = park(who, by, this);
  completion* c = nullptr;
  {
    const std::lock_guard guard(lock_);
    waiting_ = false;
    if (ended != cancelled_wait) c = take();
  }
  if (ended == cancelled_wait) throw_cancelled();
  return c;
}

}  // namespace weft::detail
