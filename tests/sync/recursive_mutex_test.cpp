// SPDX-License-Identifier: MIT
#include "weft/recursive_mutex.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "sync/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/test_clock.hpp"

namespace weft {
namespace {

using namespace test;

static_assert(timed_lockable<recursive_mutex>);
static_assert(std::is_same_v<recursive_timed_mutex, recursive_mutex>);
static_assert(!std::is_copy_constructible_v<recursive_mutex>);
static_assert(sizeof(recursive_mutex) == 40);

bool free_for_others(recursive_mutex& m) {
  bool locked = false;
  spawn([&] {
    locked = m.try_lock();
    if (locked) m.unlock();
  }).join();
  return locked;
}

TEST(recursive_mutex, the_last_unlock_frees_it) {
  recursive_mutex m;
  m.lock();
  EXPECT_TRUE(m.try_lock());
  EXPECT_TRUE(m.lock(0s));
  EXPECT_TRUE(m.try_lock_for(0s));
  for (int depth = 4; depth > 0; --depth) {
    EXPECT_FALSE(free_for_others(m)) << depth;
    m.unlock();
  }
  EXPECT_TRUE(free_for_others(m));
}

TEST(recursive_mutex, the_guards_of_the_standard_library_work_on_it) {
  WEFT_TEST_CLOCK(clock);
  recursive_mutex m;
  const std::lock_guard outer(m);
  const std::unique_lock inner(m, 1ms);
  EXPECT_TRUE(inner.owns_lock());
}

TEST(recursive_mutex, unlocking_what_another_holds_throws_and_changes_nothing) {
  recursive_mutex m;
  EXPECT_EQ(failure_of([&] { m.unlock(); }), std::errc::operation_not_permitted);
  m.lock();
  spawn([&] { EXPECT_EQ(failure_of([&] { m.unlock(); }), std::errc::operation_not_permitted); }).join();
  std::thread([&] { EXPECT_EQ(failure_of([&] { m.unlock(); }), std::errc::operation_not_permitted); }).join();
  EXPECT_FALSE(free_for_others(m));
  m.unlock();
  EXPECT_EQ(failure_of([&] { m.unlock(); }), std::errc::operation_not_permitted) << "once too often";
}

TEST(recursive_mutex, belongs_to_the_fiber_and_not_to_its_thread) {
  std::thread([] {
    recursive_mutex m;
    m.lock();  // before the thread has a hub
    EXPECT_FALSE(free_for_others(m));
    m.lock();
    m.unlock();
    m.unlock();
    EXPECT_TRUE(free_for_others(m));
  }).join();
}

TEST(recursive_mutex, a_cancelled_lock_has_not_locked) {
  recursive_mutex m;
  m.lock();
  victim v([&] { m.lock(); });
  let_others_run();
  v.cancel();
  v.join();
  EXPECT_TRUE(v.was_cancelled());
  m.unlock();
  EXPECT_TRUE(free_for_others(m));
}

TEST(recursive_mutex, who_times_out_has_not_locked) {
  WEFT_TEST_CLOCK(clock);
  recursive_mutex m;
  m.lock();
  spawn([&] {
    EXPECT_FALSE(m.try_lock_for(1ms));
    EXPECT_EQ(failure_of([&] { m.unlock(); }), std::errc::operation_not_permitted);
  }).join();
  m.unlock();
  EXPECT_TRUE(free_for_others(m));
}

TEST(recursive_mutex, fibers_of_several_hubs_and_plain_threads_share_it) {
  recursive_mutex m;
  int total = 0;
  constexpr int rounds = 100;
  const crowd c;
  run_crowd(c, [&](int) {
    for (int i = 0; i < rounds; ++i) {
      const std::lock_guard outer(m);
      if (i % 8 == 0) this_fiber::yield();
      const std::lock_guard inner(m);
      ++total;
    }
  });
  EXPECT_EQ(total, rounds * c.size());
}

TEST(recursive_mutex_death_test, destroying_a_held_one_aborts) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        std::optional<recursive_mutex> m(std::in_place);
        m->lock();
        m.reset();
      },
      "the mutex 0x[0-9a-f]+ is destroyed");
}

}  // namespace
}  // namespace weft
