// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/shield.hpp"

/// What the running fiber does to itself, in the way of std::this_thread.
///
/// Cancel    All but `get_id` and `shield` are cancellation points: they throw `cancelled`, or what else is due.
/// Threads   Of the calling fiber. On a thread that has no hub yet the sleeps make one for it; the others do nothing.
namespace weft::this_fiber {

/// Lets the other ready fibers of this hub run first. Looks at I/O and timers every 64 switches at the latest.
void yield();

/// Waits until @p by. Other fibers run meanwhile. A point that has passed is a `yield` that looks at I/O and timers.
void sleep_until(deadline by);
template <class Rep, class Period>
void sleep_for(std::chrono::duration<Rep, Period> wait) {
  sleep_until(wait);
}

/// Waits until the hub has nothing else to do: no fiber is ready and no event is at hand. Of several that wait so the ones of
/// highest @p priority go on first, and lower ones when nothing is left to do again.
/// @return false if @p by passed first
bool idle(int priority = 0, deadline by = deadline::never());

/// Throws what cancels the fiber, if anything is due; never waits. For long computations.
void interruption_point();

/// The running fiber's number; 0 on a thread that has no hub.
std::uint64_t get_id() noexcept;

/// Calls @p function with nothing cancelling it, and returns what it returns. See weft::shield.
template <class F, class... Args>
decltype(auto) shield(F&& function, Args&&... args) {
  const weft::shield guard;
  return std::invoke(std::forward<F>(function), std::forward<Args>(args)...);
}

}  // namespace weft::this_fiber
