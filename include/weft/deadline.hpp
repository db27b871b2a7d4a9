// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

#include "weft/clock.hpp"

namespace weft {

/// A point in time on the steady clock, or never: the last parameter of everything that can wait.
///
/// A duration converts to the point that lies that far from the moment of the conversion, so `f.join(100ms)` and
/// `f.join(std::chrono::steady_clock::now() + 100ms)` mean the same. A point that has passed means "try, do not wait".
///
/// Units     Nanoseconds of CLOCK_MONOTONIC inside; any std::chrono duration outside, rounded up: a wait is never shorter than what
///           was asked for. Sums saturate at `never()`. A negative duration is as 0, and one that is not a number (NaN) too: a
///           limit that came of a broken calculation does not wait for ever.
/// Threads   A value: copies are independent.
/// Cost      Eight bytes; a duration costs one clock read (a vDSO call).
class deadline {
 public:
  using clock = weft::clock;

  /// No deadline: waits as long as it takes.
  constexpr deadline() noexcept = default;
  static constexpr deadline never() noexcept { return deadline(); }

  // Not explicit: a wait is called with whatever the caller has at hand, a duration or a point.
  // NOLINTNEXTLINE(google-explicit-constructor)
  deadline(clock::time_point point) noexcept : ns_(from_point(point)) {}
  template <class Rep, class Period>
  // NOLINTNEXTLINE(google-explicit-constructor)
  deadline(std::chrono::duration<Rep, Period> wait) noexcept {
    const std::int64_t now = from_point(clock::now());
    const long double ns = std::chrono::duration<long double, std::nano>(wait).count();
    if (ns >= static_cast<long double>(far - now)) return;
    ns_ = ns > 0 ? now + std::chrono::ceil<std::chrono::nanoseconds>(wait).count() : now;  // NaN is not greater
  }
  /// The point @p ns nanoseconds after the steady clock's epoch.
  static constexpr deadline from_ns(std::int64_t ns) noexcept {
    deadline d;
    d.ns_ = ns;
    return d;
  }

  constexpr bool is_never() const noexcept { return ns_ == far; }
  /// Nanoseconds after the steady clock's epoch; the largest value stands for never.
  constexpr std::int64_t ns() const noexcept { return ns_; }

  friend constexpr auto operator<=>(const deadline&, const deadline&) noexcept = default;

 private:
  static constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max();
  static std::int64_t from_point(clock::time_point point) noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(point.time_since_epoch()).count();
  }
  std::int64_t ns_ = far;
};

}  // namespace weft
