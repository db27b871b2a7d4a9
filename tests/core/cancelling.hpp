// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>

#include "weft/deadline.hpp"
#include "weft/detail/cancel_record.hpp"
#include "weft/fiber.hpp"
#include "weft/this_fiber.hpp"

namespace weft::testing_support {

/// What `cancels` makes a suspension point throw.
struct stopped {};

/// Calls @p wait and cancels it once @p ready, in another fiber, is over. @return whether it ended by that
template <class F, class Ready>
bool cancels_after(Ready ready, F&& wait) {
  detail::cancel_record request([](detail::cancel_record&) { throw stopped(); });
  request.enter();
  const fiber canceller = spawn([&request, ready] {
    ready();
    request.request();
  });
  bool was_cancelled = false;
  try {
    wait();
  } catch (const stopped&) {
    was_cancelled = true;
  }
  request.leave();
  canceller.join();
  return was_cancelled;
}

/// A wait that is to be ended.
inline void sleep_long() { this_fiber::sleep_for(std::chrono::hours(1)); }

/// Cancels it as soon as all that it has started waits, too.
template <class F>
bool cancels(F&& wait) {
  return cancels_after([] { this_fiber::idle(); }, wait);
}

/// For what keeps going, or others beside it: cancels it as soon as another fiber gets a turn.
template <class F>
bool cancels_going(F&& wait) {
  return cancels_after([] {}, wait);
}

/// A row of a table of waits: expects that @p wait, which would wait for ever, ends at its deadline and by a cancellation, again and
/// again. What it must not have changed is for the caller to look at afterwards.
/// @param wait  @return whether it got what it waits for
inline void expect_given_up(const std::string& name, const std::function<bool(deadline)>& wait) {
  for (int round = 0; round < 2; ++round) {
    EXPECT_FALSE(wait(deadline::from_ns(1))) << name << ", with a deadline that has passed";
    EXPECT_FALSE(wait(std::chrono::milliseconds(1))) << name << ", with a deadline";
    EXPECT_TRUE(cancels([&wait] { (void)wait(deadline::never()); })) << name;
  }
}

}  // namespace weft::testing_support
