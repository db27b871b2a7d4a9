// SPDX-License-Identifier: MIT
#include "weft/event.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "plain_order.hpp"
#include "sync/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/test_clock.hpp"

namespace weft {
namespace {

using namespace test;

static_assert(!std::is_copy_constructible_v<event>);
static_assert(sizeof(event) == 40);

TEST(event, is_a_flag) {
  event e;
  EXPECT_FALSE(e.is_set() || e.ready());
  EXPECT_FALSE(e.wait(0s));
  e.set();
  e.set();
  EXPECT_TRUE(e.is_set() && e.ready());
  EXPECT_TRUE(e.wait());
  EXPECT_TRUE(e.wait(0s));
  e.clear();
  e.clear();
  EXPECT_FALSE(e.is_set());
  EXPECT_TRUE(event(true).wait());
}

TEST(event, wakes_all_in_the_order_of_their_coming) {
  WEFT_NEEDS_PLAIN_ORDER();
  event e;
  std::string order;
  std::vector<fiber> fibers;
  for (const char name : {'a', 'b', 'c'}) {
    fibers.push_back(spawn([&, name] {
      e.wait();
      order += name;
    }));
  }
  let_others_run();
  EXPECT_EQ(order, "");
  e.set();
  for (const fiber& f : fibers) f.join();
  EXPECT_EQ(order, "abc");
}

TEST(event, who_times_out_returns_false_and_leaves_the_others) {
  WEFT_TEST_CLOCK(clock);
  event e;
  int woken = 0;
  const fiber other = spawn([&] { woken += e.wait() ? 1 : 0; });
  EXPECT_FALSE(e.wait(1ms));
  e.set();
  other.join();
  EXPECT_EQ(woken, 1);
}

TEST(event, a_cancelled_wait_leaves_the_others) {
  event e;
  int woken = 0;
  victim v([&] { e.wait(); });
  const fiber other = spawn([&] { woken += e.wait() ? 1 : 0; });
  let_others_run();
  v.cancel();
  v.join();
  EXPECT_TRUE(v.was_cancelled());
  e.set();
  other.join();
  EXPECT_EQ(woken, 1);
}

TEST(event, a_set_wins_against_a_cancellation) {
  event e;
  bool woken = false;
  victim v([&] { woken = e.wait(); });
  let_others_run();
  e.set();
  v.cancel();
  v.join();
  EXPECT_TRUE(woken && v.finished());
}

TEST(event, shows_what_was_written_before_it_was_set) {
  constexpr int rounds = 500;
  event there, taken;
  int value = 0;
  std::thread writer([&] {
    for (int i = 1; i <= rounds; ++i) {
      value = i;
      there.set();
      taken.wait();
      taken.clear();
    }
  });
  for (int i = 1; i <= rounds; ++i) {
    there.wait();
    there.clear();
    ASSERT_EQ(value, i);
    taken.set();
  }
  writer.join();
}

TEST(event, fibers_of_several_hubs_and_plain_threads_wait_for_it) {
  const crowd c;
  for (int round = 0; round < 5; ++round) {
    event e;
    std::atomic<int> came{0}, woken{0};
    const fiber setter = spawn([&] {
      EXPECT_TRUE(eventually([&] { return came == c.size(); }));
      e.set();
    });
    run_crowd(c, [&](int number) {
      came.fetch_add(1);
      if (number % 4 == 0) {
        while (!e.wait(20us)) {
        }
      } else {
        e.wait();
      }
      woken.fetch_add(1);
    });
    setter.join();
    EXPECT_EQ(woken, c.size());
  }
}

TEST(event, may_be_destroyed_by_who_returned_from_wait) {
  for (int i = 0; i < 300; ++i) {
    auto e = std::make_unique<event>();
    std::atomic<bool> goes{false};
    std::thread waiter([&] {
      goes = true;
      e->wait();
      e.reset();
    });
    while (!goes) std::this_thread::yield();
    e->set();  // may return behind the destruction
    waiter.join();
  }
}

// Cases that gevent's own tests have.

TEST(event, gevent_set_then_clear_wakes_all_who_waited) {
  for (const int count : {1, 100, 1000}) {
    event e;
    int woken = 0;
    std::vector<fiber> fibers;
    for (int i = 0; i < count; ++i) fibers.push_back(spawn([&] { woken += e.wait() ? 1 : 0; }));
    let_others_run();
    e.set();
    e.clear();
    for (const fiber& f : fibers) ASSERT_TRUE(f.join(60s));
    EXPECT_EQ(woken, count);
    EXPECT_FALSE(e.is_set());
  }
}

TEST(event, gevent_set_then_clear_before_a_deadline_counts_as_set) {
  event e;
  bool result = false;
  const fiber f = spawn([&] { result = e.wait(1h); });
  let_others_run();
  e.set();
  e.clear();
  f.join();
  EXPECT_TRUE(result);
}

TEST(event, gevent_a_waiter_that_comes_during_the_notification_does_not_overtake) {
  WEFT_NEEDS_PLAIN_ORDER();
  event e;
  std::string order;
  const fiber first = spawn([&] {
    e.wait();
    order += '1';
  });
  const fiber second = spawn([&] {
    e.wait();
    order += '2';
  });
  let_others_run();
  e.set();
  const fiber third = spawn([&] {
    e.wait();
    order += '3';
  });
  for (const fiber* f : {&first, &second, &third}) f->join();
  EXPECT_EQ(order, "123");
}

TEST(event, gevent_who_comes_behind_clear_waits_for_the_next_set) {
  event e;
  e.set();
  e.clear();
  int woken = 0;
  const fiber f = spawn([&] { woken += e.wait() ? 1 : 0; });
  let_others_run();
  EXPECT_EQ(woken, 0);
  e.set();
  f.join();
  EXPECT_EQ(woken, 1);
}

TEST(event_death_test, destroying_one_that_somebody_waits_for_aborts) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        auto e = std::make_unique<event>();
        spawn([&e] { e->wait(); });
        this_fiber::yield();
        e.reset();
      },
      "the event 0x[0-9a-f]+ is destroyed");
}

}  // namespace
}  // namespace weft
