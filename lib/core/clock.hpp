// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.hpp"

namespace weft::core {

/// The time that a test has put in the place of the kernel's (weft/test_clock.hpp); 0: none has.
extern std::atomic<std::int64_t> test_time;

inline bool time_is_of_a_test() noexcept { return __builtin_expect(test_time.load(std::memory_order_relaxed) != 0, 0); }

/// What deadlines are compared with.
inline std::int64_t now_ns() noexcept {
  const std::int64_t set = test_time.load(std::memory_order_relaxed);
  return __builtin_expect(set != 0, 0) ? set : base::monotonic_ns();
}

/// Set by who has threads that are no hubs' at work (lib/task's pools): whether there are any, so that time stands still for them.
extern std::atomic<bool (*)() noexcept> others_are_at_work;

}  // namespace weft::core
