// SPDX-License-Identifier: MIT
#include "weft/deadline.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <ratio>

#include "tests/plain_threads.hpp"
#include "weft/event.hpp"
#include "weft/test_clock.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

// The clock stands still: what a duration comes to can be said exactly.
std::int64_t from_now(deadline d) { return d.ns() - deadline(0ns).ns(); }

TEST(deadline, without_one_is_never_which_is_behind_all_points) {
  EXPECT_TRUE(deadline().is_never());
  EXPECT_EQ(deadline(), deadline::never());
  EXPECT_EQ(deadline::never().ns(), std::numeric_limits<std::int64_t>::max());
  EXPECT_LT(deadline::from_ns(std::numeric_limits<std::int64_t>::max() - 1), deadline::never());
  EXPECT_FALSE(deadline(1h).is_never());
  EXPECT_LT(deadline::from_ns(5), deadline::from_ns(6));
}

TEST(deadline, a_duration_and_a_point_that_far_away_are_the_same) {
  WEFT_TEST_CLOCK(still);
  EXPECT_EQ(deadline(3ms), deadline(deadline::clock::now() + 3ms));
  EXPECT_EQ(from_now(3ms), 3'000'000);
  EXPECT_EQ(from_now(2min), 120'000'000'000);
}

TEST(deadline, fractions_are_rounded_up) {
  WEFT_TEST_CLOCK(still);
  EXPECT_EQ(from_now(std::chrono::duration<double, std::nano>(0.25)), 1);
  EXPECT_EQ(from_now(std::chrono::duration<double, std::nano>(7.0)), 7);
  EXPECT_EQ(from_now(std::chrono::duration<std::int64_t, std::pico>(1001)), 2);
  EXPECT_EQ(from_now(std::chrono::duration<float>(0.5F)), 500'000'000);
}

TEST(deadline, what_is_too_far_is_never) {
  EXPECT_TRUE(deadline(std::chrono::nanoseconds::max()).is_never());
  EXPECT_TRUE(deadline(std::chrono::hours::max()).is_never());
  EXPECT_TRUE(deadline(std::chrono::duration<std::int64_t, std::ratio<31'556'952>>(300)).is_never()) << "300 years";
  EXPECT_TRUE(deadline(std::chrono::duration<double>(std::numeric_limits<double>::infinity())).is_never());
  EXPECT_TRUE(deadline(std::chrono::duration<double>(1e300)).is_never());
  EXPECT_TRUE(deadline(deadline::clock::time_point::max()).is_never());
  EXPECT_FALSE(deadline(24h * 365 * 100).is_never()) << "a century";
}

TEST(deadline, what_is_less_than_nothing_is_now) {
  WEFT_TEST_CLOCK(still);
  EXPECT_EQ(from_now(-1ns), 0);
  EXPECT_EQ(from_now(std::chrono::nanoseconds::min()), 0);
  EXPECT_EQ(from_now(std::chrono::hours::min()), 0);
  EXPECT_EQ(from_now(std::chrono::duration<double>(-std::numeric_limits<double>::infinity())), 0);
  EXPECT_EQ(from_now(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())), 0);
}

TEST(deadline, one_that_has_passed_means_try) {
  event e;
  EXPECT_FALSE(e.wait(0s));
  EXPECT_FALSE(e.wait(deadline::from_ns(0)));
  EXPECT_FALSE(e.wait(deadline::from_ns(std::numeric_limits<std::int64_t>::min())));
  EXPECT_FALSE(e.wait(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())));
  e.set();
  EXPECT_TRUE(e.wait(deadline::from_ns(0))) << "what is there it takes";
}

}  // namespace
}  // namespace weft
