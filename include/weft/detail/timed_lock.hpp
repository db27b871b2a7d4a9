// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include "weft/deadline.hpp"
#include "weft/detail/clock.hpp"

namespace weft::detail {

/// Gives `lock(deadline)` of @p Lock the names of std::timed_mutex.
template <class Lock>
class timed_lock {
 public:
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& wait) {
    return static_cast<Lock*>(this)->lock(deadline(wait));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& point) {
    return static_cast<Lock*>(this)->lock(to_deadline(point));
  }

 protected:
  constexpr timed_lock() noexcept = default;
  ~timed_lock() = default;
};

/// Gives `lock_shared(deadline)` of @p Lock those of std::shared_timed_mutex.
template <class Lock>
class timed_shared_lock {
 public:
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_shared_for(const std::chrono::duration<Rep, Period>& wait) {
    return static_cast<Lock*>(this)->lock_shared(deadline(wait));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration>& point) {
    return static_cast<Lock*>(this)->lock_shared(to_deadline(point));
  }

 protected:
  constexpr timed_shared_lock() noexcept = default;
  ~timed_shared_lock() = default;
};

}  // namespace weft::detail
