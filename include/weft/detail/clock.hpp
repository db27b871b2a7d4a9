// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include "weft/deadline.hpp"

namespace weft::detail {

/// The deadline of a std call that names a point on any clock. The distance to it is taken now, so that a step of the system
/// clock during the wait moves nothing.
template <class Clock, class Duration>
deadline to_deadline(const std::chrono::time_point<Clock, Duration>& point) {
  if constexpr (std::is_same_v<Clock, deadline::clock::time_point::clock>) {
    return std::chrono::ceil<deadline::clock::duration>(point);
  } else {
    return point - Clock::now();
  }
}

}  // namespace weft::detail
