// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace weft {

/// For tests: while it lives, hubs choose at random which of the ready fibers runs next, so that a test meets orders of events that
/// it would meet in production once a year. The same seed draws the same order again.
///
///     TEST(cache, is_filled_once) {
///       for (std::uint64_t seed = 1; seed <= 100; ++seed) {
///         SCOPED_TRACE(seed);
///         const weft::random_schedule any_order(seed);
///         look_up_with_many_fibers();
///       }
///     }
///
/// The environment does the same for a whole program without a change to it: `WEFT_TEST_SEED=17 ./program`.
///
/// What is drawn: who of the ready fibers goes on (any that may, not the one that has waited longest); whether a fiber that an
/// event has readied goes on at once or waits for its turn; when the hub looks at I/O while fibers are ready; and, where the library
/// was built with its assertions (WEFT_CHECKS), whether others run between a fiber's decision to wait and the wait. What this library
/// promises of orders holds on: `this_fiber::yield` lets all run that were ready before, and mutexes, queues and channels serve first
/// who came first. That ready fibers run in the order in which they became ready is no promise.
///
/// A run is reproduced as far as the program itself is the same: one hub, no other threads and processes. Time is one more thing that
/// differs between two runs; with weft::test_clock it does not.
///
/// Threads   For all hubs of the process: the calling thread's from now on, the others' from their next look at I/O. One at a time, the
///           last one made counts; what was before it (the environment's seed, or none) holds again when it goes.
/// Lifetime  Of any length, also across waits. The hubs' generators begin anew with each.
/// Cost      While none lives: nothing but a look at one word whenever a hub looks at I/O. With one: a switch costs several times more.
class random_schedule {
 public:
  /// @param seed  any number but 0, which stands for none
  /// @throws std::system_error  errc::invalid_argument: @p seed is 0; or the calling thread's hub cannot be made
  explicit random_schedule(std::uint64_t seed);
  random_schedule(const random_schedule&) = delete;
  random_schedule& operator=(const random_schedule&) = delete;
  ~random_schedule();

 private:
  std::uint64_t before_ = 0;
};

/// The seed that hubs draw from now: of the last random_schedule, or of the environment; 0: none. To be told when a test fails.
std::uint64_t schedule_seed() noexcept;

}  // namespace weft
