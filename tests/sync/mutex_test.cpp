// SPDX-License-Identifier: MIT
#include "weft/mutex.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "sync/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/event.hpp"
#include "weft/test_clock.hpp"

namespace weft {
namespace {

using namespace test;

static_assert(timed_lockable<mutex>);
static_assert(std::is_same_v<timed_mutex, mutex>);
static_assert(!std::is_copy_constructible_v<mutex> && !std::is_move_constructible_v<mutex>);
static_assert(sizeof(mutex) == 32);

TEST(mutex, the_guards_of_the_standard_library_work_on_it) {
  WEFT_TEST_CLOCK(clock);
  mutex a, b;
  {
    const std::lock_guard guard(a);
    EXPECT_FALSE(a.try_lock());
  }
  {
    std::unique_lock lock(a, std::try_to_lock);
    EXPECT_TRUE(lock.owns_lock());
    std::unique_lock timed(b, 1ms);
    EXPECT_TRUE(timed.owns_lock());
  }
  int total = 0;
  const auto work = [&total](mutex& first, mutex& second) {
    for (int i = 0; i < 100; ++i) {
      const std::scoped_lock both(first, second);
      this_fiber::yield();
      ++total;
    }
  };
  const fiber one = spawn(work, std::ref(a), std::ref(b));
  const fiber two = spawn(work, std::ref(b), std::ref(a));
  one.join();
  two.join();
  EXPECT_EQ(total, 200);
}

TEST(mutex, lets_one_in_at_a_time) {
  mutex m;
  int inside = 0, most = 0;
  std::vector<fiber> fibers;
  for (int i = 0; i < 10; ++i) {
    fibers.push_back(spawn([&] {
      for (int k = 0; k < 20; ++k) {
        const std::lock_guard guard(m);
        most = std::max(most, ++inside);
        this_fiber::yield();
        --inside;
      }
    }));
  }
  for (const fiber& f : fibers) f.join();
  EXPECT_EQ(most, 1);
}

TEST(mutex, serves_in_the_order_of_coming_and_nobody_overtakes) {
  mutex m;
  std::string order;
  m.lock();
  std::vector<fiber> fibers;
  for (const char name : {'a', 'b', 'c'}) {
    fibers.push_back(spawn([&, name] {
      m.lock();
      order += name;
      m.unlock();
    }));
    let_others_run();
  }
  m.unlock();
  EXPECT_FALSE(m.try_lock()) << "it has been handed over already";
  m.lock();
  order += '-';
  m.unlock();
  for (const fiber& f : fibers) f.join();
  EXPECT_EQ(order, "abc-");
}

TEST(mutex, a_passed_deadline_means_try) {
  mutex m;
  ASSERT_TRUE(m.lock(0s));
  spawn([&m] {
    EXPECT_FALSE(m.lock(0s));
    EXPECT_FALSE(m.try_lock_for(0s));
    EXPECT_FALSE(m.try_lock_until(std::chrono::system_clock::now() - 1h));
    EXPECT_FALSE(m.try_lock());
  }).join();
  m.unlock();
}

TEST(mutex, who_times_out_leaves_the_others_in_order) {
  WEFT_TEST_CLOCK(clock);
  mutex m;
  std::string order;
  m.lock();
  const auto take = [&](char name, deadline by) {
    if (m.lock(by)) {
      order += name;
      m.unlock();
    } else {
      order += static_cast<char>(name - 'a' + 'A');
    }
  };
  const fiber a = spawn(take, 'a', deadline::never());
  let_others_run();
  const fiber b = spawn(take, 'b', deadline(1ms));
  const fiber c = spawn(take, 'c', deadline::never());
  b.join();
  m.unlock();
  a.join();
  c.join();
  EXPECT_EQ(order, "Bac");

  m.lock();
  const fiber alone = spawn(take, 'd', deadline(1ms));
  alone.join();
  m.unlock();
  EXPECT_TRUE(m.try_lock()) << "the last waiter that gave up left it free";
  m.unlock();
}

TEST(mutex, a_cancelled_lock_has_not_locked) {
  mutex m;
  std::string order;
  m.lock();
  victim first([&] { m.lock(); });
  const fiber second = spawn([&] {
    const std::lock_guard guard(m);
    order += '2';
  });
  let_others_run();
  first.cancel();
  EXPECT_TRUE(first.join());
  EXPECT_TRUE(first.was_cancelled());
  m.unlock();
  second.join();
  EXPECT_EQ(order, "2");
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

TEST(mutex, a_hand_over_wins_against_a_cancellation_which_stays_due) {
  mutex m;
  bool locked = false;
  m.lock();
  victim v([&] {
    const std::lock_guard guard(m);
    locked = true;
    this_fiber::yield();
    ADD_FAILURE() << "the cancellation was lost";
  });
  let_others_run();
  m.unlock();
  v.cancel();
  v.join();
  EXPECT_TRUE(locked);
  EXPECT_TRUE(v.was_cancelled());
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

TEST(mutex, a_free_one_is_no_cancellation_point) {
  mutex m;
  bool locked = false;
  victim v([&] {
    v.cancel();
    m.lock();
    locked = true;
    m.unlock();
  });
  v.join();
  EXPECT_TRUE(locked && v.finished());
}

TEST(mutex, locking_it_again_throws) {
  mutex m;
  const std::lock_guard guard(m);
  EXPECT_EQ(failure_of([&] { m.lock(); }), std::errc::resource_deadlock_would_occur);
  EXPECT_EQ(failure_of([&] { static_cast<void>(m.try_lock_for(1h)); }), std::errc::resource_deadlock_would_occur);
  EXPECT_FALSE(m.try_lock());
}

TEST(mutex, unlocking_what_another_holds_throws_and_changes_nothing) {
  mutex m;
  EXPECT_EQ(failure_of([&] { m.unlock(); }), std::errc::operation_not_permitted) << "nobody holds it";
  m.lock();
  spawn([&m] { EXPECT_EQ(failure_of([&] { m.unlock(); }), std::errc::operation_not_permitted); }).join();
  std::thread([&m] { EXPECT_EQ(failure_of([&] { m.unlock(); }), std::errc::operation_not_permitted); }).join();
  EXPECT_FALSE(m.try_lock());
  const fiber waiter = spawn([&m] { const std::lock_guard guard(m); });
  let_others_run();
  spawn([&m] { EXPECT_EQ(failure_of([&] { m.unlock(); }), std::errc::operation_not_permitted); }).join();
  EXPECT_FALSE(waiter.ready());
  m.unlock();
  waiter.join();
}

TEST(mutex, a_thread_that_gets_a_hub_keeps_what_it_holds) {
  std::thread([] {
    mutex m;
    m.lock();
    spawn([&m] {
      EXPECT_FALSE(m.try_lock());
      EXPECT_EQ(failure_of([&] { m.unlock(); }), std::errc::operation_not_permitted) << "it is not this fiber's";
    }).join();
    EXPECT_EQ(failure_of([&] { m.lock(); }), std::errc::resource_deadlock_would_occur);
    const fiber waiter = spawn([&m] { const std::lock_guard guard(m); });
    let_others_run();
    m.unlock();
    waiter.join();
    m.lock();
    m.unlock();
  }).join();
}

TEST(mutex, fibers_of_several_hubs_and_plain_threads_share_it) {
  mutex m;
  int total = 0;  // no atomic: the mutex is to order the accesses
  constexpr int rounds = 300;
  const crowd c;
  run_crowd(c, [&](int number) {
    for (int i = 0; i < rounds; ++i) {
      const std::lock_guard guard(m);
      const int before = total;
      if ((i + number) % 8 == 0) this_fiber::yield();
      total = before + 1;
    }
  });
  EXPECT_EQ(total, rounds * c.size());
}

TEST(mutex, deadlines_and_hand_overs_meet_across_hubs) {
  mutex m;
  int total = 0;
  std::atomic<int> locked{0};
  const crowd c;
  run_crowd(c, [&](int number) {
    for (int i = 0; i < 200; ++i) {
      if (!m.lock(std::chrono::microseconds((i * 7 + number * 13) % 60))) continue;
      ++total;
      if (i % 16 == 0) this_fiber::sleep_for(20us);
      locked.fetch_add(1);
      m.unlock();
    }
  });
  EXPECT_EQ(total, locked);
  EXPECT_TRUE(m.try_lock()) << "every hand-over was taken";
  m.unlock();
}

TEST(mutex, may_be_destroyed_by_who_locked_it_next) {
  unlock_while_another_destroys<mutex>([](mutex& m, int) {
    m.lock();
    return [&m] { m.unlock(); };
  });
}

TEST(mutex, can_be_a_constant_initialised_static) {
  static constinit mutex m;
  const std::lock_guard guard(m);
  EXPECT_FALSE(m.try_lock());
}

using mutex_death_test = testing::Test;

TEST(mutex_death_test, destroying_a_held_one_aborts) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        std::optional<mutex> m(std::in_place);
        m->lock();
        m.reset();
      },
      "the mutex 0x[0-9a-f]+ is destroyed while a fiber or thread holds it or waits for it");
}

TEST(mutex_death_test, a_static_one_may_be_held_at_the_end_of_the_process) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        static mutex m;
        m.lock();
        spawn([] { m.lock(); });
        this_fiber::yield();
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace weft
