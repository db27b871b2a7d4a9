// SPDX-License-Identifier: MIT
#pragma once

#include <time.h>

#include <cstdint>

namespace weft::base {

/// Nanoseconds on CLOCK_MONOTONIC, the clock of std::chrono::steady_clock. A vDSO call: no system call, no errno.
inline std::int64_t monotonic_ns() noexcept {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

/// Nanoseconds since the epoch on CLOCK_REALTIME.
inline std::int64_t realtime_ns() noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

}  // namespace weft::base
