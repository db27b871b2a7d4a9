// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace weft {

/// The clock that deadlines and timers go by: std::chrono::steady_clock, but where a test has put another time in its place
/// (weft::test_clock). Code that asks it for the time instead of steady_clock can be tested without waiting.
///
///     const auto begun = weft::clock::now();
///     auto answer = ask(host, 2s);
///     latency.add(weft::clock::now() - begun);
///
/// Its points of time are steady_clock's: all that takes the one takes the other.
///
/// Blocking  Never.
/// Threads   From any.
/// Cost      A clock read (a vDSO call), as steady_clock's.
struct clock {
  // The standard's names of a clock.
  using time_point = std::chrono::steady_clock::time_point;
  using duration = time_point::duration;
  using rep = duration::rep;
  using period = duration::period;
  static constexpr bool is_steady = true;

  static time_point now() noexcept;
};

}  // namespace weft
