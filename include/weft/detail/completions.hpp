// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "weft/deadline.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/subscription.hpp"

namespace weft::detail {

class completions;

/// One thing that becomes ready once. Its address is its identity, so it stays where it is while subscribed.
struct completion : subscription {
  completions* owner = nullptr;
  completion* next_ready = nullptr;
  bool listed = false;  // notified; a second notification changes nothing
};

/// Those of a set of things that have become ready, in that order, for one fiber that waits for the next.
///
/// Threads   One fiber at a time takes; notifications come from anywhere.
class completions {
 public:
  completions() noexcept = default;
  completions(const completions&) = delete;
  completions& operator=(const completions&) = delete;

  /// Makes @p c a subscription that reports here.
  void prepare(completion& c) noexcept;
  /// Makes @p c ready: for what is no object that one can wait for.
  static void announce(completion& c) noexcept { notified(c); }
  /// Lets @p c, which `next` gave, be given again: of an object that was not ready after all. Before one looks whether it is.
  void again(completion& c) noexcept;
  /// The next that is ready; nullptr if @p by passed first. A cancellation point, which takes nothing.
  completion* next(deadline by);

 private:
  static void notified(subscription& s) noexcept;
  completion* take() noexcept;

  spinlock lock_;
  completion* first_ = nullptr;
  completion* last_ = nullptr;
  waker who_{};
  bool waiting_ = false;
};

}  // namespace weft::detail
