// SPDX-License-Identifier: MIT
#include "weft/semaphore.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "sync/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/test_clock.hpp"

namespace weft {
namespace {

using namespace test;
using ::testing::UnorderedElementsAre;

static_assert(!std::is_copy_constructible_v<counting_semaphore<>>);
static_assert(binary_semaphore::max() == 1);
static_assert(std::is_same_v<counting_semaphore<1>, binary_semaphore>);
static_assert(sizeof(counting_semaphore<>) == 56);

TEST(semaphore, gives_as_many_units_as_there_are) {
  WEFT_TEST_CLOCK(clock);
  counting_semaphore<5> s(2);
  s.acquire();
  EXPECT_TRUE(s.try_acquire());
  EXPECT_EQ(s.available(), 0);
  EXPECT_FALSE(s.try_acquire());
  EXPECT_FALSE(s.acquire(0s));
  s.release(3);
  EXPECT_EQ(s.available(), 3);
  EXPECT_TRUE(s.try_acquire_for(1ms));
  EXPECT_TRUE(s.try_acquire_until(std::chrono::system_clock::now()));
  EXPECT_EQ(s.available(), 1);
  s.release(0);
  EXPECT_EQ(s.available(), 1);
}

TEST(semaphore, serves_in_the_order_of_coming_and_nobody_overtakes) {
  counting_semaphore s(0);
  std::string order;
  std::vector<fiber> fibers;
  for (const char name : {'a', 'b', 'c', 'd'}) {
    fibers.push_back(spawn([&, name] {
      s.acquire();
      order += name;
    }));
    let_others_run();
  }
  s.release(2);
  EXPECT_FALSE(s.try_acquire()) << "both units have been handed over";
  let_others_run();
  EXPECT_THAT(order, UnorderedElementsAre('a', 'b'));
  s.release(3);
  EXPECT_EQ(s.available(), 1) << "what nobody waits for is kept";
  for (const fiber& f : fibers) f.join();
  EXPECT_THAT(order.substr(2), UnorderedElementsAre('c', 'd'));
}

TEST(semaphore, one_takes_what_another_gives) {
  binary_semaphore ping(0), pong(0);
  std::thread other([&] {
    for (int i = 0; i < 500; ++i) {
      ping.acquire();
      pong.release();
    }
  });
  for (int i = 0; i < 500; ++i) {
    ping.release();
    pong.acquire();
  }
  other.join();
  EXPECT_EQ(ping.available() + pong.available(), 0);
}

TEST(semaphore, who_times_out_took_none) {
  WEFT_TEST_CLOCK(clock);
  counting_semaphore s(0);
  EXPECT_FALSE(s.try_acquire_for(1ms));
  s.release();
  EXPECT_EQ(s.available(), 1);
}

TEST(semaphore, a_cancelled_acquire_took_none) {
  counting_semaphore s(0);
  bool served = false;
  victim first([&] { s.acquire(); });
  const fiber second = spawn([&] {
    s.acquire();
    served = true;
  });
  let_others_run();
  first.cancel();
  first.join();
  EXPECT_TRUE(first.was_cancelled());
  s.release();
  second.join();
  EXPECT_TRUE(served);
  EXPECT_EQ(s.available(), 0);
}

TEST(semaphore, a_unit_handed_over_wins_against_a_cancellation) {
  counting_semaphore s(0);
  victim v([&] { s.acquire(); });
  let_others_run();
  s.release();
  v.cancel();
  v.join();
  EXPECT_TRUE(v.finished());
  EXPECT_EQ(s.available(), 0);
}

TEST(semaphore, more_than_allowed_throws_and_changes_nothing) {
  binary_semaphore one(1);
  EXPECT_EQ(failure_of([&] { one.release(); }), std::errc::value_too_large);
  EXPECT_EQ(one.available(), 1);
  EXPECT_EQ(failure_of([&] { one.release(-1); }), std::errc::value_too_large);
  EXPECT_EQ(failure_of([] { counting_semaphore<3> s(4); }), std::errc::value_too_large);
  EXPECT_EQ(failure_of([] { counting_semaphore<3> s(-1); }), std::errc::value_too_large);
  EXPECT_EQ(failure_of([] { bounded_semaphore s(-1); }), std::errc::value_too_large);

  one.acquire();
  const fiber waiter = spawn([&] { one.acquire(); });
  let_others_run();
  EXPECT_EQ(failure_of([&] { one.release(2); }), std::errc::value_too_large);
  EXPECT_FALSE(waiter.ready());
  one.release();
  waiter.join();
}

TEST(semaphore, a_bounded_one_tells_a_unit_that_was_not_taken) {
  bounded_semaphore s(2);
  s.acquire();
  s.release();
  EXPECT_EQ(failure_of([&] { s.release(); }), std::errc::value_too_large);
  EXPECT_EQ(s.available(), 2);
}

TEST(semaphore, fibers_of_several_hubs_and_plain_threads_share_it) {
  constexpr int units = 3;
  bounded_semaphore s(units);
  std::atomic<int> inside{0}, most{0}, served{0}, gave_up{0};
  const crowd c;
  run_crowd(c, [&](int number) {
    for (int i = 0; i < 200; ++i) {
      if (!s.acquire(i % 3 == 0 ? deadline(std::chrono::microseconds((i + number) % 40)) : deadline::never())) {
        gave_up.fetch_add(1);
        continue;
      }
      const int now = inside.fetch_add(1) + 1;
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
      if (i % 8 == 0) this_fiber::yield();
      inside.fetch_sub(1);
      served.fetch_add(1);
      s.release();
    }
  });
  EXPECT_LE(most, units);
  EXPECT_EQ(served + gave_up, 200 * c.size());
  EXPECT_EQ(s.available(), units);
}

TEST(semaphore, may_be_destroyed_by_who_got_the_unit) {
  for (int i = 0; i < 300; ++i) {
    auto s = std::make_unique<binary_semaphore>(0);
    std::atomic<bool> goes{false};
    std::thread next([&] {
      goes = true;
      s->acquire();
      s.reset();
    });
    while (!goes) std::this_thread::yield();
    s->release();  // may return behind the destruction
    next.join();
  }
}

// Cases that gevent's own tests have.

TEST(semaphore, gevent_release_twice_serves_two) {
  counting_semaphore s(0);
  int served = 0;
  const fiber one = spawn([&] { s.acquire(), ++served; });
  const fiber two = spawn([&] { s.acquire(), ++served; });
  let_others_run();
  s.release();
  s.release();
  one.join();
  two.join();
  EXPECT_EQ(served, 2);
}

TEST(semaphore, gevent_a_release_in_a_loop_does_not_starve_who_waits) {
  // One releases and acquires without ever waiting for anything else; the other must come to its turn.
  counting_semaphore s(1);
  bool done = false;
  s.acquire();
  const fiber other = spawn([&] {
    s.acquire();
    done = true;
    s.release();
  });
  let_others_run();
  int turns = 0;
  for (; !done && turns < 10; ++turns) {
    s.release();
    s.acquire();
  }
  EXPECT_EQ(turns, 1);
  other.join();
}

TEST(semaphore, gevent_acquired_in_one_thread_then_waited_for_in_another_with_and_without_a_hub) {
  for (const bool with_hub : {false, true}) {
    counting_semaphore s(1);
    s.acquire();
    std::atomic<bool> gave_up{false}, got{false};
    std::thread other([&] {
      if (with_hub) this_fiber::sleep_for(0s);
      gave_up = !s.acquire(1ms);
      s.acquire();
      got = true;
    });
    EXPECT_TRUE(eventually([&] { return gave_up.load(); }));
    EXPECT_FALSE(got);
    s.release();
    other.join();
    EXPECT_TRUE(got);
  }
}

TEST(semaphore, gevent_duelling_threads_and_fibers_end) {
  counting_semaphore s(1);
  run_crowd({.hubs = 2, .fibers_per_hub = 2, .threads = 2}, [&](int) {
    for (int i = 0; i < 100; ++i) {
      s.acquire();
      this_fiber::yield();
      s.release();
    }
  });
  EXPECT_EQ(s.available(), 1);
}

TEST(semaphore_death_test, destroying_one_that_somebody_waits_for_aborts) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        auto s = std::make_unique<counting_semaphore<>>(0);
        spawn([&s] { s->acquire(); });
        this_fiber::yield();
        s.reset();
      },
      "the semaphore 0x[0-9a-f]+ is destroyed");
}

}  // namespace
}  // namespace weft
