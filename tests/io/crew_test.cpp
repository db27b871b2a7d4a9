// SPDX-License-Identifier: MIT
#include "io/crew.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/io/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/cancelled.hpp"
#include "weft/event.hpp"
#include "weft/test_clock.hpp"

namespace weft::io {
namespace {

using namespace test;

TEST(crew, has_so_many_places_and_hands_them_on_in_order) {
  crew c(2);
  std::vector<int> came, order;
  std::vector<fiber> fibers;
  c.take_place();
  c.take_place();
  for (int i = 0; i < 3; ++i) {
    fibers.push_back(spawn([&, i] {
      came.push_back(i);
      c.take_place();
      order.push_back(i);
    }));
  }
  settle();
  EXPECT_TRUE(order.empty());
  for (std::size_t i = 0; i < 3; ++i) {
    c.give_place_back();
    settle();
    EXPECT_EQ(order.size(), i + 1);
    EXPECT_EQ(c.size(), 2U);
  }
  for (const fiber& f : fibers) f.join();
  EXPECT_EQ(order, came);
  c.give_place_back();
  c.give_place_back();
  EXPECT_EQ(c.size(), 0U);
}

TEST(crew, who_gives_up_waiting_for_a_place_has_none) {
  crew c(1);
  c.take_place();
  EXPECT_TRUE(cancels([&] { c.take_place(); }));
  c.give_place_back();
  EXPECT_EQ(c.size(), 0U);
  EXPECT_TRUE(c.wait_for_end(0s));
}

TEST(crew, its_end_is_when_the_last_has_left) {
  WEFT_TEST_CLOCK(clock);
  crew c(10);
  event leave;
  c.take_place();
  const fiber f = spawn([&] {
    const crew::member self(c);
    leave.wait();
  });
  EXPECT_FALSE(c.wait_for_end(1min));
  EXPECT_EQ(c.active(), 1U);
  EXPECT_TRUE(cancels([&] { c.wait_for_end(deadline::never()); }));
  leave.set();
  EXPECT_TRUE(c.wait_for_end(60s));
  EXPECT_EQ(c.active(), 0U);
  f.join();
}

TEST(crew, a_cancellation_reaches_members_and_those_to_come) {
  crew c(10);
  int cancelled_ones = 0;
  std::vector<fiber> fibers;
  for (int i = 0; i < 3; ++i) {
    c.take_place();
    fibers.push_back(spawn([&] {
      const crew::member self(c);
      EXPECT_FALSE(c.cancelling());
      try {
        this_fiber::sleep_for(1h);
      } catch (const cancelled&) {
        ++cancelled_ones;
      }
    }));
  }
  settle();
  c.take_place();
  const fiber late = spawn([&] {
    const crew::member self(c);
    EXPECT_TRUE(c.cancelling());
  });
  c.cancel_all();
  EXPECT_TRUE(c.wait_for_end(60s));
  EXPECT_EQ(cancelled_ones, 3);
  late.join();
  for (const fiber& f : fibers) f.join();
}

TEST(crew, a_member_that_waits_for_the_end_does_not_wait_for_itself) {
  crew c(2);
  c.take_place();
  spawn([&] {
    const crew::member self(c);
    EXPECT_TRUE(c.wait_for_end(60s));
    c.cancel_all();
    this_fiber::yield();  // nor does it cancel itself
  }).join();
}

TEST(crew, fibers_of_several_hubs_make_one) {
  crew c(5);
  constexpr int threads = 3, each = 300;
  std::atomic<int> inside{0}, most{0}, done{0};
  std::vector<std::thread> hubs;
  for (int t = 0; t < threads; ++t) {
    hubs.emplace_back([&] {
      std::vector<fiber> fibers;
      for (int i = 0; i < each; ++i) {
        c.take_place();
        fibers.push_back(spawn([&] {
          const crew::member self(c);
          const int now = ++inside;
          int seen = most.load();
          while (now > seen && !most.compare_exchange_weak(seen, now)) {
          }
          this_fiber::yield();
          --inside;
          ++done;
        }));
      }
      for (const fiber& f : fibers) f.join();
    });
  }
  for (std::thread& t : hubs) t.join();
  EXPECT_TRUE(c.wait_for_end(60s));
  EXPECT_EQ(done.load(), threads * each);
  EXPECT_LE(most.load(), 5);
}

TEST(crew, pauses_double_up_to_the_longest) {
  WEFT_TEST_CLOCK(clock);
  back_off pause(1ms, 3ms);
  EXPECT_TRUE(pause.fresh());
  pause.wait();
  EXPECT_EQ(clock.elapsed(), 1ms);
  EXPECT_FALSE(pause.fresh());
  pause.wait();
  EXPECT_EQ(clock.elapsed(), 1ms + 2ms);
  pause.wait();
  EXPECT_EQ(clock.elapsed(), 1ms + 2ms + 3ms);
  pause.reset();
  EXPECT_TRUE(pause.fresh());
  back_off hours(1h, 1h);
  EXPECT_TRUE(cancels([&] { hours.wait(); }));
}

}  // namespace
}  // namespace weft::io
