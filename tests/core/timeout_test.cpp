// SPDX-License-Identifier: MIT
// gevent's own cases for its Timeout (test__timeout.py) are among these: each throws itself, a handler asks whose it is, an exception of
// choice, the silent form, one that is cancelled and started again, a fallback of with_timeout that is for its own time alone.
#include "weft/timeout.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

#include "tests/core/turnstile.hpp"
#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/test_clock.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

void sleep_long() { this_fiber::sleep_for(1h); }

TEST(timeout, throws_itself_at_a_suspension_point_once) {
  WEFT_TEST_CLOCK(clock);
  timeout limit(1min);
  EXPECT_TRUE(limit.pending());
  try {
    sleep_long();
    ADD_FAILURE();
  } catch (const timeout_expired& e) {
    EXPECT_TRUE(e.of(limit));
  }
  EXPECT_EQ(clock.elapsed(), 1min);
  EXPECT_TRUE(limit.expired());
  EXPECT_FALSE(limit.pending());
  this_fiber::sleep_for(2min);
}

TEST(timeout, of_zero_is_thrown_by_the_first_suspension_point_and_never_is_not) {
  WEFT_TEST_CLOCK(clock);
  const timeout none{deadline::never()};
  this_fiber::sleep_for(59min);
  EXPECT_FALSE(none.expired());
  timeout at_once(0s);
  EXPECT_THROW(this_fiber::interruption_point(), timeout_expired);
}

TEST(timeout, throws_an_exception_of_choice) {
  WEFT_TEST_CLOCK(clock);
  const timeout limit(1min, std::make_exception_ptr(std::domain_error("mine")));
  EXPECT_THROW(sleep_long(), std::domain_error);
  EXPECT_TRUE(limit.expired());
}

TEST(timeout, that_was_cancelled_is_not_thrown_and_can_be_started_again) {
  WEFT_TEST_CLOCK(clock);
  timeout limit(1min);
  limit.cancel();
  limit.cancel();
  EXPECT_FALSE(limit.pending());
  this_fiber::sleep_for(2min);
  limit.start(1min);
  EXPECT_THROW(sleep_long(), timeout_expired);
  limit.cancel();
  limit.start(1h);
  EXPECT_FALSE(limit.expired());
  this_fiber::sleep_for(59min);
}

TEST(timeout, two_starts_in_a_row_abort) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        timeout limit(1h);
        limit.start(1h);
      },
      "that has begun already");
}

TEST(timeout, ended_by_another_fiber_aborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  constexpr const char* told = "is ended by another fiber than the one that began it";
  EXPECT_DEATH(
      {
        timeout limit(1h);
        spawn([&] { limit.cancel(); }).join();
      },
      told);
  EXPECT_DEATH(
      {
        std::unique_ptr<timeout> left;
        spawn([&] { left = std::make_unique<timeout>(1h); }).join();
        left.reset();
      },
      told);
}

TEST(timeout, nested_ones_know_each_other_apart) {
  WEFT_TEST_CLOCK(clock);
  timeout outer(1h);
  bool inner_let_it_pass = false;
  try {
    timeout inner(2h);
    try {
      outer.cancel();
      outer.start(1min);
      sleep_long();
    } catch (const timeout_expired& e) {
      inner_let_it_pass = !e.of(inner);
      throw;
    }
  } catch (const timeout_expired& e) {
    EXPECT_TRUE(e.of(outer));
  }
  EXPECT_TRUE(inner_let_it_pass);
}

// The outermost unwinds the others, which then have nothing left to throw.
TEST(timeout, of_two_that_are_due_at_once_the_outer_one_is_thrown) {
  WEFT_TEST_CLOCK(clock);
  const deadline both = 1h;
  timeout outer(both);
  bool inner_threw = false;
  try {
    timeout inner(both);
    try {
      this_fiber::sleep_for(2h);
      ADD_FAILURE();
    } catch (const timeout_expired& e) {
      inner_threw = e.of(inner);
      throw;
    }
  } catch (const timeout_expired& e) {
    EXPECT_TRUE(e.of(outer));
  }
  EXPECT_FALSE(inner_threw);
  EXPECT_EQ(clock.elapsed(), 1h);
  this_fiber::sleep_for(1h);  // nothing is due any more
}

TEST(timeout, of_two_that_are_due_at_once_the_inner_one_comes_second_if_the_outer_is_caught_inside) {
  WEFT_TEST_CLOCK(clock);
  timeout outer(1h), inner(1h);
  try {
    this_fiber::sleep_for(2h);
    ADD_FAILURE();
  } catch (const timeout_expired& e) {
    EXPECT_TRUE(e.of(outer));
  }
  try {
    this_fiber::sleep_for(2h);
    ADD_FAILURE();
  } catch (const timeout_expired& e) {
    EXPECT_TRUE(e.of(inner));
  }
  EXPECT_EQ(clock.elapsed(), 1h) << "it was due";
}

TEST(timeout, an_inner_one_leaves_the_outer_one_running) {
  WEFT_TEST_CLOCK(clock);
  timeout outer(2h);
  {
    timeout inner(1h);
    try {
      this_fiber::sleep_for(3h);
      ADD_FAILURE();
    } catch (const timeout_expired& e) {
      EXPECT_TRUE(e.of(inner));
      EXPECT_FALSE(e.of(outer));
    }
    EXPECT_TRUE(inner.expired());
  }
  EXPECT_TRUE(outer.pending());
  EXPECT_FALSE(outer.expired());
  try {
    this_fiber::sleep_for(3h);
    ADD_FAILURE();
  } catch (const timeout_expired& e) {
    EXPECT_TRUE(e.of(outer));
  }
  EXPECT_EQ(clock.elapsed(), 2h);
}

TEST(timeout, a_silent_one_inside_another_is_silent_about_itself_alone) {
  WEFT_TEST_CLOCK(clock);
  timeout outer(2h);
  EXPECT_FALSE(within(1h, [] { this_fiber::sleep_for(3h); }));
  EXPECT_TRUE(outer.pending());
  EXPECT_THROW(within(5h, [] { this_fiber::sleep_for(3h); }), timeout_expired);
  EXPECT_TRUE(outer.expired());
  EXPECT_EQ(clock.elapsed(), 2h);
}

TEST(timeout, may_end_in_any_order) {
  WEFT_TEST_CLOCK(clock);
  timeout a(1h), b(1h);
  a.cancel();
  timeout c(1min);
  b.cancel();
  EXPECT_THROW(sleep_long(), timeout_expired);
  EXPECT_TRUE(c.expired());
}

TEST(timeout, limits_other_waits_too) {
  WEFT_TEST_CLOCK(clock);
  turnstile gate;
  const timeout limit(1min);
  EXPECT_THROW(gate.acquire(), timeout_expired);
  EXPECT_FALSE(gate.waited_for());
}

TEST(timeout, of_one_fiber_does_not_touch_another) {
  WEFT_TEST_CLOCK(clock);
  const task<bool> other = spawn([] {
    this_fiber::sleep_for(3min);
    return true;
  });
  const timeout limit(1min);
  EXPECT_THROW(sleep_long(), timeout_expired);
  EXPECT_FALSE(other.ready());
  EXPECT_TRUE(other.get());
}

TEST(with_timeout, gives_the_value_or_the_fallback) {
  WEFT_TEST_CLOCK(clock);
  EXPECT_EQ(with_timeout(
                1h, [] { return 1; }, 2),
            1);
  EXPECT_EQ(with_timeout(
                1min,
                [] {
                  sleep_long();
                  return 1;
                },
                2),
            2);
  EXPECT_EQ(with_timeout(1h, [] { return std::string("a"); }), "a");
  EXPECT_THROW(with_timeout(1min, sleep_long), timeout_expired);
}

TEST(with_timeout, lets_other_exceptions_and_outer_timeouts_pass) {
  WEFT_TEST_CLOCK(clock);
  EXPECT_THROW(with_timeout(
                   1h, []() -> int { throw std::runtime_error("no"); }, 2),
               std::runtime_error);
  timeout outer(1min);
  try {
    with_timeout(
        1h,
        [] {
          sleep_long();
          return 1;
        },
        2);
    ADD_FAILURE();
  } catch (const timeout_expired& e) {
    EXPECT_TRUE(e.of(outer));
  }
}

TEST(within, is_silent_about_its_own_time_alone) {
  WEFT_TEST_CLOCK(clock);
  EXPECT_TRUE(within(1h, [] {}));
  EXPECT_FALSE(within(1min, sleep_long));
  EXPECT_THROW(within(1h, [] { throw 1; }), int);
  EXPECT_FALSE(within(1min, [] { EXPECT_TRUE(within(1h, sleep_long)) << "not reached"; }));
}

}  // namespace
}  // namespace weft
