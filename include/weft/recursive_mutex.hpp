// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "weft/detail/timed_lock.hpp"
#include "weft/mutex.hpp"

namespace weft {

/// A mutex that its holder may lock again; std::recursive_mutex and std::recursive_timed_mutex for fibers, gevent's RLock.
///
/// It is for code that must call itself under the lock; a `mutex` tells the mistake that a second lock usually is.
/// Everything else is as with `mutex`, whose reference holds: order, cancellation, deadlines, threads, lifetime.
///
/// Order     The last of as many `unlock`s as there were `lock`s hands it to who waits longest.
/// Cost      40 bytes; locking again is a comparison and an increment.
class recursive_mutex : public detail::timed_lock<recursive_mutex> {
 public:
  constexpr recursive_mutex() noexcept = default;
  recursive_mutex(const recursive_mutex&) = delete;
  recursive_mutex& operator=(const recursive_mutex&) = delete;

  /// @throws cancelled
  /// @throws std::system_error  (value_too_large) it was locked SIZE_MAX times
  void lock() { static_cast<void>(lock(deadline::never())); }
  /// @return whether it was locked before @p by passed
  [[nodiscard]] bool lock(deadline by) {
    const detail::owner_id self = detail::this_owner();
    if (mutex_.held_by(self)) {
      enter_again();
    } else if (mutex_.lock_as(self, by)) {
      depth_ = 1;
    } else {
      return false;
    }
    return true;
  }
  /// @return whether it was free or the caller's. Never suspends.
  [[nodiscard]] bool try_lock() {
    if (mutex_.held_by(detail::this_owner())) {
      enter_again();
    } else if (mutex_.try_lock()) {
      depth_ = 1;
    } else {
      return false;
    }
    return true;
  }

  /// Never suspends.
  /// @throws std::system_error  (operation_not_permitted) the caller does not hold it; nothing has changed then
  void unlock() {
    const detail::owner_id self = detail::this_owner();
    if (!mutex_.held_by(self)) detail::throw_not_owner("weft::recursive_mutex::unlock by another than its holder");
    if (--depth_ == 0) mutex_.unlock_as(self);
  }

 private:
  void enter_again() {
    if (++depth_ == 0) {
      --depth_;
      detail::throw_too_many("weft::recursive_mutex::lock");
    }
  }

  mutex mutex_;
  std::size_t depth_ = 0;  // the holder's alone
};

/// Every weft::recursive_mutex can time out.
using recursive_timed_mutex = recursive_mutex;

}  // namespace weft
