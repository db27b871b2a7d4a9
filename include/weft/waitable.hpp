// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>

#include "weft/detail/subscription.hpp"

namespace weft {

/// What `wait`, `wait_each` and `select` take: fibers, events, futures, channels, semaphores, processes...
///
/// An object that wants to be one offers three members. `ready` says whether what it stands for can be had now without
/// waiting. `add_waiter` makes it call `s.notify(s)` whenever it *may* have become ready, and at once (within the call) if it
/// is, or throws and keeps nothing of @p s; `remove_waiter` ends that: once it has returned `notify` is not called any more.
/// A notification promises nothing, as somebody else may be faster: who is notified asks `ready`, or tries, and waits on.
///
/// Threads   All three may be called from any thread, by several at once.
/// Lifetime  The object outlives its subscriptions.
template <class T>
concept waitable = requires(const T& object, T& same, detail::subscription& s) {
  { object.ready() } -> std::convertible_to<bool>;
  same.add_waiter(s);
  { same.remove_waiter(s) }
  noexcept;
};

}  // namespace weft
