// SPDX-License-Identifier: MIT
#pragma once

#include "weft/park.hpp"

namespace weft::detail {

/// Somebody's wish to be told when an object may have become ready: what the objects that can be waited for together
/// (futures, fibers, events) keep a list of.
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

}  // namespace weft::detail
