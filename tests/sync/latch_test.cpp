// SPDX-License-Identifier: MIT
#include "weft/latch.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "sync/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/test_clock.hpp"

namespace weft {
namespace {

using namespace test;

static_assert(!std::is_copy_constructible_v<latch>);

TEST(latch, opens_when_the_count_is_zero_and_stays_open) {
  latch l(3);
  bool open = false;
  const fiber waiter = spawn([&] { open = l.wait(); });
  l.count_down();
  l.count_down(0);
  let_others_run();
  EXPECT_FALSE(open || l.try_wait());
  l.count_down(2);
  waiter.join();
  EXPECT_TRUE(open && l.try_wait());
  EXPECT_TRUE(l.wait());
  EXPECT_TRUE(latch(0).try_wait());
}

TEST(latch, arrive_and_wait_counts_also_if_it_times_out_or_is_cancelled) {
  WEFT_TEST_CLOCK(clock);
  latch l(3);
  EXPECT_FALSE(l.arrive_and_wait(1, 1us));
  victim v([&] { l.arrive_and_wait(); });
  let_others_run();
  v.cancel();
  v.join();
  EXPECT_TRUE(v.was_cancelled());
  EXPECT_TRUE(l.arrive_and_wait());
}

TEST(latch, counting_below_zero_throws_and_changes_nothing) {
  latch l(1);
  EXPECT_EQ(failure_of([&] { l.count_down(2); }), std::errc::value_too_large);
  EXPECT_EQ(failure_of([&] { l.count_down(-1); }), std::errc::value_too_large);
  EXPECT_EQ(failure_of([&] { l.arrive_and_wait(2); }), std::errc::value_too_large);
  EXPECT_EQ(failure_of([] { latch bad(-1); }), std::errc::value_too_large);
  EXPECT_FALSE(l.try_wait());
  l.count_down();
  EXPECT_TRUE(l.try_wait());
}

TEST(latch, fibers_of_several_hubs_and_plain_threads_meet_and_see_what_was_written) {
  const crowd c;
  for (int round = 0; round < 5; ++round) {
    latch l(c.size());
    std::vector<int> written(static_cast<std::size_t>(c.size()));
    run_crowd(c, [&](int number) {
      written[static_cast<std::size_t>(number)] = 1;
      l.arrive_and_wait();
      for (const int w : written) EXPECT_EQ(w, 1);
    });
  }
}

TEST(latch, may_be_destroyed_by_who_returned_from_wait) {
  for (int i = 0; i < 300; ++i) {
    auto l = std::make_unique<latch>(2);
    std::thread other([&l] { l->count_down(); });
    l->count_down();
    l->wait();
    l.reset();  // the other's count_down may not have returned yet
    other.join();
  }
}

TEST(latch_death_test, destroying_one_that_somebody_waits_for_aborts) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        auto l = std::make_unique<latch>(1);
        spawn([&] { l->wait(); });
        this_fiber::yield();
        l.reset();
      },
      "the latch 0x[0-9a-f]+ is destroyed");
}

}  // namespace
}  // namespace weft
