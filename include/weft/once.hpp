// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/detail/misuse.hpp"
#include "weft/mutex.hpp"

namespace weft {

/// Whether something was done that is done once; std::once_flag for fibers. See `call_once`.
class once_flag {
 public:
  constexpr once_flag() noexcept = default;
  once_flag(const once_flag&) = delete;
  once_flag& operator=(const once_flag&) = delete;
  ~once_flag() {
    if (running_.is_used()) [[unlikely]]
      detail::destroyed_in_use("once_flag", this);
  }

 private:
  template <class F, class... Args>
  friend void call_once(once_flag& flag, F&& function, Args&&... args);
  template <class F, class... Args>
  friend bool call_once_until(once_flag& flag, deadline by, F&& function, Args&&... args);

  std::atomic<bool> done_{false};
  mutex running_;
};

/// Calls @p function unless it was called with this flag before; returns when it has been done, by whomever. If it throws, the
/// exception goes to that caller, and the next one calls.
///
/// For the first use of something shared, when making it may suspend; a function-local static would have all fibers of a hub
/// wait in the C++ run time, which suspends none of them.
///
///     weft::call_once(connected, [&] { db.connect(); });
///
/// Blocking  Suspends while another caller's function runs; only the calling fiber sleeps, or a thread without a hub.
/// Order     Callers are served first come, first served.
/// Cancel    A cancellation point if it has to wait, and wherever @p function is one; the flag then stays as it was.
/// Threads   Safe from fibers of all hubs and from plain threads at once.
/// Lifetime  Destroying a flag that someone waits for aborts.
/// Cost      40 bytes. Once done, one load.
///
/// @throws what @p function throws
/// @throws std::system_error  (resource_deadlock_would_occur) @p function calls with the same flag
template <class F, class... Args>
void call_once(once_flag& flag, F&& function, Args&&... args) {
  static_cast<void>(call_once_until(flag, deadline::never(), std::forward<F>(function), std::forward<Args>(args)...));
}

/// The same, but waits for another caller at most until @p by (which cannot stand last here).
/// @return whether it has been done
template <class F, class... Args>
[[nodiscard]] bool call_once_until(once_flag& flag, deadline by, F&& function, Args&&... args) {
  if (flag.done_.load(std::memory_order_acquire)) return true;
  if (!flag.running_.lock(by)) return false;
  const std::lock_guard running(flag.running_, std::adopt_lock);
  if (flag.done_.load(std::memory_order_relaxed)) return true;
  std::invoke(std::forward<F>(function), std::forward<Args>(args)...);
  flag.done_.store(true, std::memory_order_release);
  return true;
}

}  // namespace weft
