// SPDX-License-Identifier: MIT
#pragma once

#include "weft/park.hpp"

namespace weft::detail {

/// Somebody's wish to be told when an object may have become ready: what the objects that can be waited for together
/// (futures, fibers, events) keep a list of. See waitable.hpp.
///
/// `notify` is called under the object's lock, perhaps on another thread: it unparks `who`, counts, starts a fiber, and
/// neither waits nor touches that object. It may be called though the object is not ready after all, or more than once: who
/// is woken looks, and waits again.
///
/// Lifetime  Taken off its object's list before its storage goes.
struct subscription {
  waker who{};
  void (*notify)(subscription&) noexcept = nullptr;
  subscription* prev = nullptr;
  subscription* next = nullptr;
  bool queued = false;
};

/// The subscriptions of one object, in the order of their coming. Intrusive: owns nothing, allocates nothing.
///
/// Threads   Used under the lock of the object it belongs to.
class subscription_list {
 public:
  constexpr subscription_list() noexcept = default;
  subscription_list(const subscription_list&) = delete;
  subscription_list& operator=(const subscription_list&) = delete;

  bool empty() const noexcept { return head_ == nullptr; }
  subscription* front() const noexcept { return head_; }

  void add(subscription& s) noexcept {
    s.prev = tail_;
    s.next = nullptr;
    s.queued = true;
    (tail_ == nullptr ? head_ : tail_->next) = &s;
    tail_ = &s;
  }
  /// Does nothing if it is not in a list.
  void remove(subscription& s) noexcept {
    if (!s.queued) return;
    (s.prev == nullptr ? head_ : s.prev->next) = s.next;
    (s.next == nullptr ? tail_ : s.next->prev) = s.prev;
    s.queued = false;
  }
  /// Tells all, who stay: of an object that may become ready again.
  void notify() noexcept { notify_others(nullptr); }
  /// The same, but for those of @p self: what it does itself makes nothing ready for it.
  void notify_others(const core::fiber* self) noexcept {
    for (subscription* s = head_; s != nullptr;) {
      subscription* const following = s->next;
      if (self == nullptr || s->who.target != self) s->notify(*s);
      s = following;
    }
  }
  /// Tells all for the last time, of an object that stays ready. A subscription may be gone as soon as it was told.
  void finish() noexcept {
    while (subscription* const s = head_) {
      remove(*s);
      s->notify(*s);
    }
  }

 private:
  subscription* head_ = nullptr;
  subscription* tail_ = nullptr;
};

}  // namespace weft::detail
