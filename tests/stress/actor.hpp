// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>

#include "weft/cancelled.hpp"
#include "weft/detail/cancel_record.hpp"
#include "weft/fiber.hpp"

namespace weft::stress {

/// One of those who use the objects: a fiber of some hub, or a plain thread.
struct actor {
  int number = 0;
  bool is_fiber = false;
  std::mt19937_64 random;
  std::atomic<std::uint64_t> steps{0};  // what the watchdog looks at
  std::atomic<bool> done{false};

  bool one_in(unsigned n) { return random() % n == 0; }
  std::chrono::microseconds moment(unsigned most) { return std::chrono::microseconds(random() % most); }
  deadline soon() { return moment(60); }
  void progress() { steps.fetch_add(1, std::memory_order_relaxed); }
  /// Sometimes lets others run, sometimes sleeps.
  void dawdle() {
    if (one_in(4)) this_fiber::yield();
    if (one_in(64) && is_fiber) this_fiber::sleep_for(moment(50));
  }
};

/// Calls @p f, on a fiber sometimes so that it is cancelled at its suspension points a moment later.
/// @return whether @p f came to its end
template <class F>
bool survive(actor& a, const F& f) {
  if (!a.is_fiber || !a.one_in(6)) {
    f();
    return true;
  }
  detail::cancel_record record([](detail::cancel_record&) { throw cancelled(); });
  record.enter(a.soon());
  bool finished = false;
  try {
    f();
    finished = true;
  } catch (const cancelled&) {
    finished = false;
  }
  record.leave();
  return finished;
}

}  // namespace weft::stress
