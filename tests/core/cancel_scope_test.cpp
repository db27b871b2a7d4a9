// SPDX-License-Identifier: MIT
#include "weft/cancel_scope.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/test_clock.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

void sleep_long() { this_fiber::sleep_for(1h); }

TEST(cancel_scope, a_block_that_ends_by_itself) {
  cancel_scope scope;
  EXPECT_TRUE(scope.run([] {}));
  EXPECT_THROW(scope.run([] { throw 1; }), int);
}

TEST(cancel_scope, a_cancel_from_another_fiber_ends_the_block) {
  cancel_scope scope;
  const fiber other = spawn([&] { scope.cancel(); });
  EXPECT_FALSE(scope.run(sleep_long));
  EXPECT_FALSE(scope.cancel_requested());
  EXPECT_TRUE(scope.run([] { this_fiber::yield(); })) << "it may be used again";
  other.join();
}

TEST(cancel_scope, a_cancel_before_the_block_counts) {
  cancel_scope scope;
  scope.cancel();
  scope.cancel();
  EXPECT_TRUE(scope.cancel_requested());
  bool reached = false;
  EXPECT_FALSE(scope.run([&] {
    reached = true;
    this_fiber::yield();
    ADD_FAILURE();
  }));
  EXPECT_TRUE(reached);
}

TEST(cancel_scope, what_is_cancelled_but_does_not_suspend_has_ended_by_itself) {
  cancel_scope scope;
  EXPECT_TRUE(scope.run([&] { scope.cancel(); }));
  EXPECT_FALSE(scope.cancel_requested()) << "it was for that block";
  EXPECT_TRUE(scope.run([] { this_fiber::yield(); }));
}

TEST(cancel_scope, has_a_deadline_that_can_be_moved) {
  WEFT_TEST_CLOCK(clock);
  cancel_scope scope(1h);
  EXPECT_FALSE(scope.run([&] {
    scope.set_deadline(1min);
    sleep_long();
  }));
  scope.set_deadline(deadline::never());
  EXPECT_TRUE(scope.get_deadline().is_never());
  EXPECT_TRUE(scope.run([] { this_fiber::sleep_for(2h); }));
}

TEST(cancel_scope, an_inner_one_lets_the_outer_ones_cancellation_pass) {
  cancel_scope outer, inner;
  bool behind_inner = false;
  EXPECT_FALSE(outer.run([&] {
    (void)inner.run([&] {
      outer.cancel();
      this_fiber::yield();
    });
    behind_inner = true;
  }));
  EXPECT_FALSE(behind_inner);
}

TEST(cancel_scope, one_that_shields_hides_the_outer_one_and_not_itself) {
  WEFT_TEST_CLOCK(clock);
  cancel_scope outer, inner(deadline::never(), shielding::on);
  bool behind_inner = false;
  EXPECT_FALSE(outer.run([&] {
    EXPECT_FALSE(inner.run([&] {
      outer.cancel();
      this_fiber::yield();
      inner.set_deadline(1min);
      sleep_long();
    }));
    behind_inner = true;
    this_fiber::yield();
    ADD_FAILURE() << "not reached";
  }));
  EXPECT_TRUE(behind_inner);
}

TEST(cancel_scope, a_kill_goes_through_it) {
  cancel_scope scope;
  const task<> t = spawn([&] { EXPECT_TRUE(scope.run(sleep_long)) << "not reached"; });
  this_fiber::yield();
  EXPECT_TRUE(t.kill());
  EXPECT_THROW(t.get(), task_cancelled);
}

TEST(cancel_scope, cancels_from_other_threads_meet_each_block_at_most_once) {
  constexpr int blocks = 100;
  cancel_scope scope;
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) {
      scope.cancel();
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < blocks; ++i) EXPECT_FALSE(scope.run(sleep_long));
  stop = true;
  other.join();
}

TEST(cancel_scope, two_blocks_at_once_abort) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        cancel_scope scope;
        (void)scope.run([&] { (void)scope.run([] {}); });
      },
      "that has begun already");
}

}  // namespace
}  // namespace weft
