// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include "weft/clock.hpp"

namespace weft {

struct test_clock_options {
  /// Whether it jumps when all fibers wait. If not, `advance` alone moves it.
  bool jumps = true;
  /// How long, in real time, nothing may have happened before a jump, where something outside might yet: a descriptor is waited
  /// for, or the process has other threads than its hubs'. Where neither is so it jumps at once. Zero or
  /// less: what is outside is never waited for.
  std::chrono::nanoseconds settle = std::chrono::milliseconds(2);
};

/// For tests: while it lives, time stands still, and jumps to the next deadline when every fiber of every hub waits. A test of hours
/// takes no time, and takes as long as it says, to the nanosecond.
///
///     TEST(session, ends_after_an_hour_without_a_word) {
///       const weft::test_clock clock;
///       session s;
///       weft::this_fiber::sleep_for(59min);
///       EXPECT_TRUE(s.is_open());
///       weft::this_fiber::sleep_for(1min);
///       EXPECT_FALSE(s.is_open());
///       EXPECT_EQ(clock.elapsed(), 1h);
///     }
///
/// By this clock go all deadlines and durations of fibers: sleeps, timeouts, scopes, `select`, streams in time, delayed starts.
/// `weft::clock::now` tells it; std::chrono::steady_clock tells the kernel's time still, so code under test asks the former. What goes by
/// the kernel's time under it too: threads without a hub, the callbacks of timer_watcher and stat_watcher, and whatever other
/// libraries and processes measure.
///
/// It waits for what threads of a thread_pool do (`offload` too), and for the peers of sockets as long as `settle` says. Other threads and
/// processes are not foreseen: a test that waits for those makes `settle` longer than they take. A thread that has a hub and blocks outside of
/// this library is taken for one that runs, and holds up the jump; so does a hub_driver.
///
/// Threads   One in a process; it governs all hubs. Members from any thread; `advance` makes a hub for one that has none.
/// Lifetime  What waits with a deadline when it goes would wait for that point of the kernel's time: so join all fibers before. In a
///           fork's child it stands where it stood.
/// Cost      A jump: a look at I/O on each hub; tens of microseconds with one.
class test_clock {
 public:
  /// @throws std::system_error  errc::operation_in_progress: there is one already; errc::operation_not_supported: the process is
  ///         preloaded or patched, where system calls tell the kernel's time; or the calling thread's hub cannot be made
  explicit test_clock(const test_clock_options& options = {});
  test_clock(const test_clock&) = delete;
  test_clock& operator=(const test_clock&) = delete;
  ~test_clock();

  /// Moves the time on by @p span at once. Fibers whose time has come are ready behind it on the caller's hub, and soon on the others.
  /// @throws std::system_error  errc::invalid_argument: @p span is negative, or no clock could tell the time behind it
  void advance(std::chrono::nanoseconds span) const;

  /// How far it has come since it was made.
  clock::duration elapsed() const noexcept;

 private:
  clock::time_point begin_;
};

}  // namespace weft
