// SPDX-License-Identifier: MIT
#include "weft/barrier.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "sync/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/test_clock.hpp"

namespace weft {
namespace {

using namespace test;

static_assert(!std::is_copy_constructible_v<barrier<>>);
static_assert(sizeof(barrier<>) == 64);

TEST(barrier, all_meet_in_each_phase) {
  int phase = 0;
  const auto next = [&phase]() noexcept { ++phase; };
  barrier b(3, next);
  std::vector<fiber> fibers;
  for (int i = 0; i < 3; ++i) {
    fibers.push_back(spawn([&] {
      for (int k = 0; k < 10; ++k) {
        EXPECT_EQ(phase, k);
        EXPECT_TRUE(b.arrive_and_wait());
        EXPECT_EQ(phase, k + 1);
      }
    }));
  }
  for (const fiber& f : fibers) f.join();
}

TEST(barrier, arriving_and_waiting_are_separate) {
  barrier b(2);
  auto token = b.arrive();
  EXPECT_FALSE(b.wait(token, 0s));
  static_cast<void>(b.arrive());
  EXPECT_TRUE(b.wait(std::move(token)));
  auto both = b.arrive(2);
  EXPECT_TRUE(b.wait(both, 0s));
}

TEST(barrier, who_drops_out_is_not_expected_again) {
  barrier b(2);
  b.arrive_and_drop();
  EXPECT_TRUE(b.arrive_and_wait());
  EXPECT_TRUE(b.arrive_and_wait(0s)) << "alone now";
}

TEST(barrier, a_timeout_or_a_cancellation_ends_the_wait_and_not_the_arrival) {
  WEFT_TEST_CLOCK(clock);
  barrier b(3);
  EXPECT_FALSE(b.arrive_and_wait(1us));
  victim v([&] { b.arrive_and_wait(); });
  let_others_run();
  v.cancel();
  v.join();
  EXPECT_TRUE(v.was_cancelled());
  EXPECT_TRUE(b.arrive_and_wait(0s)) << "all three have arrived";
}

TEST(barrier, its_completion_function_may_suspend_and_is_not_cancelled) {
  bool completed = false;
  const auto complete = [&completed]() noexcept {
    let_others_run();
    completed = true;
  };
  barrier b(2, complete);
  const fiber other = spawn([&] {
    b.arrive_and_wait();
    EXPECT_TRUE(completed);
  });
  victim last([&] {
    last.cancel();
    b.arrive_and_wait();
    EXPECT_TRUE(completed);
    this_fiber::yield();
  });
  last.join();
  other.join();
  EXPECT_TRUE(last.was_cancelled()) << "behind it";
}

TEST(barrier, arriving_too_often_throws_and_changes_nothing) {
  barrier b(2);
  EXPECT_EQ(failure_of([&] { static_cast<void>(b.arrive(3)); }), std::errc::value_too_large);
  EXPECT_EQ(failure_of([&] { static_cast<void>(b.arrive(-1)); }), std::errc::value_too_large);
  EXPECT_EQ(failure_of([] { barrier bad(-1); }), std::errc::value_too_large);
  const auto token = b.arrive(2);
  EXPECT_TRUE(b.wait(token, 0s));
  barrier nobody(0);
  EXPECT_EQ(failure_of([&] { nobody.arrive_and_wait(); }), std::errc::value_too_large);
  EXPECT_EQ(failure_of([&] { nobody.arrive_and_drop(); }), std::errc::value_too_large);
  b.arrive_and_drop();
  b.arrive_and_drop();
  EXPECT_EQ(failure_of([&] { b.arrive_and_drop(); }), std::errc::value_too_large) << "nobody is expected any more";
}

TEST(barrier, waiting_with_the_token_of_another_throws) {
  barrier b(2), other(1);
  const auto token = other.arrive();
  EXPECT_EQ(failure_of([&] { b.wait(token); }), std::errc::operation_not_permitted);
  EXPECT_TRUE(other.wait(token));
}

TEST(barrier, fibers_of_several_hubs_and_plain_threads_meet) {
  const crowd c;
  constexpr int rounds = 100;
  std::vector<int> at(static_cast<std::size_t>(c.size()));
  barrier b(c.size());
  run_crowd(c, [&](int number) {
    for (int i = 1; i <= rounds; ++i) {
      at[static_cast<std::size_t>(number)] = i;
      b.arrive_and_wait();
      for (const int other : at) EXPECT_EQ(other, i);
      b.arrive_and_wait();
    }
  });
}

TEST(barrier_death_test, destroying_one_that_somebody_waits_for_aborts) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        auto b = std::make_unique<barrier<>>(2);
        spawn([&] { b->arrive_and_wait(); });
        this_fiber::yield();
        b.reset();
      },
      "the barrier 0x[0-9a-f]+ is destroyed");
}

}  // namespace
}  // namespace weft
