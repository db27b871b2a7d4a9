// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include "weft/deadline.hpp"
#include "weft/this_fiber.hpp"

namespace weft::test {

/// Looks at @p holds again and again, while other fibers run; gives up at @p limit.
template <class F>
bool eventually(F&& holds, deadline limit = std::chrono::minutes(1)) {
  while (!holds()) {
    if (deadline(std::chrono::seconds(0)) > limit) return false;
    this_fiber::sleep_for(std::chrono::microseconds(50));
  }
  return true;
}

/// Lets every fiber that is ready run until it waits. Few turns would do, but a random schedule may pass a fiber over again and again.
inline void settle() {
  for (int i = 0; i < 200; ++i) this_fiber::yield();
}

}  // namespace weft::test
