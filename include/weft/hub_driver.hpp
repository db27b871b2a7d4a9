// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>

#include "weft/deadline.hpp"

namespace weft {

namespace core {
class hub;
}

/// Lets an event loop of somebody else's (GLib's, Qt's, a game's frames) own the thread, and the thread's fibers run in between.
///
/// Before the other loop sleeps it calls `run_once`, which says until when it may; and it watches `native_handle` for reading, to
/// be woken by what fibers wait for.
///
///     weft::hub_driver driver;
///     pollfd fds[] = {{driver.native_handle(), POLLIN, 0}, {mine, POLLIN, 0}};
///     for (;;) {
///       const weft::deadline next = driver.run_once();
///       ::poll(fds, 2, milliseconds_until(next));
///       if (fds[1].revents != 0) mine_is_ready();
///     }
///
/// For a libev loop `libev_driver` does that. A program that has no loop needs none of this: a fiber that waits lets the others run.
///
/// Blocking  `run_once` holds the calling code for @p slice at most, but for a fiber that does not let go. `run_until` waits.
/// Order     What fibers do in `run_once` is over, or waits, when it returns. What the other loop's own code readies (a spawn, a
///           notify) runs in the next `run_once`: therefore before each sleep.
/// Cancel    Cancellation points.
/// Threads   For the thread that made it, whose hub it drives.
/// Lifetime  While one lives no deadlock is reported: the other loop may wake whoever waits. Destroying it on another thread aborts,
///           but in a fork's child, where one makes another driver. The descriptor is the hub's: never close or read it.
/// Cost      `run_once`: one look at the kernel when nothing is ready. A timer_watcher or stat_watcher in the process makes the other
///           loop wake every 10 ms, since libev does not tell when they are due.
class hub_driver {
 public:
  /// @throws std::system_error  the thread had no hub, and the kernel gives no descriptors or memory for one
  hub_driver();
  hub_driver(const hub_driver&) = delete;
  hub_driver& operator=(const hub_driver&) = delete;
  ~hub_driver();

  /// Readable when the hub has something to do. For waiting only.
  int native_handle() const noexcept;

  /// Lets fibers run until none is ready, and looks at I/O and timers; never sleeps.
  /// @return when it wants to run again if nothing happens before; a point that has passed if fibers are ready still
  /// @throws std::system_error  (operation_not_permitted) on another thread than its own, or in a fork's child
  deadline run_once(std::chrono::nanoseconds slice = std::chrono::milliseconds(1));

  /// Runs the hub, asleep while there is nothing to do, until @p done() says true: for a thread without another loop.
  /// It is asked after each `run_once`.
  /// @return false if @p by passed first
  template <class Predicate>
  bool run_until(Predicate done, deadline by = deadline::never()) {
    for (;;) {
      const bool last = by <= deadline(std::chrono::nanoseconds(0));
      const deadline next = run_once();
      if (done()) return true;
      if (last) return false;
      sleep(next < by ? next : by);
    }
  }

 private:
  void sleep(deadline by) const noexcept;

  core::hub* hub_;
  const std::uint32_t forks_;
};

}  // namespace weft
