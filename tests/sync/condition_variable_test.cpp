// SPDX-License-Identifier: MIT
#include "weft/condition_variable.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>

#include "sync/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/recursive_mutex.hpp"
#include "weft/shared_mutex.hpp"
#include "weft/test_clock.hpp"

namespace weft {
namespace {

using namespace test;

static_assert(!std::is_copy_constructible_v<condition_variable>);
static_assert(sizeof(condition_variable) == 24);

struct condition_variable_test : testing::Test {
  mutex m;
  condition_variable changed;
  bool flag = false;

  void raise() {
    const std::lock_guard guard(m);
    flag = true;
    changed.notify_all();
  }
};

TEST_F(condition_variable_test, gives_the_lock_back_while_it_waits) {
  std::unique_lock lock(m);
  const fiber other = spawn([this] { raise(); });
  changed.wait(lock, [this] { return flag; });
  EXPECT_TRUE(lock.owns_lock());
  EXPECT_FALSE(m.try_lock());
  other.join();
}

TEST_F(condition_variable_test, notify_one_wakes_who_waits_longest) {
  std::string order;
  std::vector<fiber> fibers;
  for (const char name : {'a', 'b', 'c'}) {
    fibers.push_back(spawn([&, name] {
      std::unique_lock lock(m);
      changed.wait(lock);
      order += name;
    }));
    let_others_run();
  }
  changed.notify_one();
  let_others_run();
  EXPECT_EQ(order, "a");
  changed.notify_one();
  let_others_run();
  EXPECT_EQ(order, "ab");
  changed.notify_all();
  for (const fiber& f : fibers) f.join();
  EXPECT_EQ(order, "abc");
}

TEST_F(condition_variable_test, a_notification_without_a_waiter_is_not_kept) {
  changed.notify_one();
  changed.notify_all();
  std::unique_lock lock(m);
  EXPECT_EQ(changed.wait(lock, 0s), std::cv_status::timeout);
  EXPECT_TRUE(lock.owns_lock());
}

TEST_F(condition_variable_test, takes_deadlines_under_all_names) {
  WEFT_TEST_CLOCK(clock);
  std::unique_lock lock(m);
  const auto no = [] { return false; };
  const auto yes = [] { return true; };
  EXPECT_EQ(changed.wait_for(lock, 1us), std::cv_status::timeout);
  EXPECT_EQ(changed.wait_until(lock, std::chrono::system_clock::now()), std::cv_status::timeout);
  EXPECT_FALSE(changed.wait(lock, no, 1us));
  EXPECT_FALSE(changed.wait_for(lock, 1us, no));
  EXPECT_FALSE(changed.wait_until(lock, std::chrono::steady_clock::now(), no));
  EXPECT_TRUE(changed.wait(lock, yes, 0s));
  EXPECT_TRUE(changed.wait_for(lock, 0s, yes));
  EXPECT_TRUE(changed.wait_until(lock, std::chrono::steady_clock::now(), yes));
}

TEST_F(condition_variable_test, relocks_whatever_it_takes_behind_a_timeout) {
  WEFT_TEST_CLOCK(clock);
  bool timed_out = false;
  const fiber waiter = spawn([&] {
    std::unique_lock lock(m);
    timed_out = changed.wait(lock, 1us) == std::cv_status::timeout;
  });
  this_fiber::yield();
  m.lock();
  this_fiber::sleep_for(1ms);
  EXPECT_FALSE(timed_out) << "it needs the lock to return";
  m.unlock();
  waiter.join();
  EXPECT_TRUE(timed_out);
}

TEST_F(condition_variable_test, a_cancelled_wait_throws_with_the_lock_held) {
  bool held = false;
  victim v([&] {
    std::unique_lock lock(m);
    try {
      changed.wait(lock);
    } catch (const cancelled&) {
      held = lock.owns_lock() && !m.try_lock();
      throw;
    }
  });
  let_others_run();
  v.cancel();
  v.join();
  EXPECT_TRUE(held && v.was_cancelled());
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

TEST_F(condition_variable_test, the_relocking_is_not_cancelled) {
  bool held = false;
  victim v([&] {
    std::unique_lock lock(m);
    changed.wait(lock);
    held = lock.owns_lock();
    lock.unlock();
    this_fiber::yield();
    ADD_FAILURE() << "the cancellation was lost";
  });
  let_others_run();
  m.lock();
  changed.notify_one();
  let_others_run();  // it waits for the lock now
  v.cancel();
  let_others_run();
  EXPECT_FALSE(v.ready());
  m.unlock();
  v.join();
  EXPECT_TRUE(held && v.was_cancelled());
}

TEST_F(condition_variable_test, a_notification_is_not_lost_to_one_that_was_cancelled) {
  bool woken = false;
  victim first([this] {
    std::unique_lock lock(m);
    changed.wait(lock);
  });
  const fiber second = spawn([&] {
    std::unique_lock lock(m);
    changed.wait(lock);
    woken = true;
  });
  let_others_run();
  first.cancel();
  changed.notify_one();
  first.join();
  if (first.was_cancelled()) {
    second.join();
    EXPECT_TRUE(woken);
  } else {
    changed.notify_one();
    second.join();
  }
}

TEST_F(condition_variable_test, a_stop_request_ends_the_wait) {
  WEFT_TEST_CLOCK(clock);
  std::stop_source source;
  bool result = true;
  const fiber waiter = spawn([&] {
    std::unique_lock lock(m);
    result = changed.wait(lock, source.get_token(), [this] { return flag; });
  });
  let_others_run();
  EXPECT_FALSE(waiter.ready());
  source.request_stop();
  waiter.join();
  EXPECT_FALSE(result);

  std::unique_lock lock(m);
  EXPECT_FALSE(changed.wait(lock, source.get_token(), [] { return false; })) << "requested already";
  EXPECT_TRUE(changed.wait(lock, source.get_token(), [] { return true; }));
  const std::stop_source never;
  EXPECT_FALSE(changed.wait_for(lock, never.get_token(), 1us, [] { return false; }));
  EXPECT_FALSE(changed.wait_until(lock, never.get_token(), std::chrono::steady_clock::now(), [] { return false; }));
  EXPECT_TRUE(changed.wait(
      lock, never.get_token(), [] { return true; }, 0s));
}

TEST_F(condition_variable_test, a_stop_request_from_another_thread_is_never_missed) {
  for (int i = 0; i < 300; ++i) {
    std::stop_source source;
    std::thread other([&] { source.request_stop(); });
    std::unique_lock lock(m);
    EXPECT_FALSE(changed.wait(lock, source.get_token(), [] { return false; }));
    other.join();
  }
}

TEST_F(condition_variable_test, takes_any_lock) {
  {
    std::unique_lock lock(m);
    const fiber other = spawn([this] { raise(); });
    lock.unlock();
    m.lock();
    changed.wait(m, [this] { return flag; });  // the mutex itself
    m.unlock();
    other.join();
  }
  flag = false;
  recursive_mutex r;
  shared_mutex s;
  int woken = 0;
  const fiber one = spawn([&] {
    const std::lock_guard guard(r);
    changed.wait(r, [this] { return flag; });
    ++woken;
  });
  const fiber two = spawn([&] {
    std::shared_lock lock(s);
    changed.wait(lock, [this] { return flag; });
    woken += lock.owns_lock() ? 1 : 0;
  });
  let_others_run();
  raise();
  one.join();
  two.join();
  EXPECT_EQ(woken, 2);
}

// A lock whose calls suspend, as one that talks to a server might.
struct slow_lock {
  mutex& m;
  void lock() {
    this_fiber::sleep_for(1us);
    m.lock();
  }
  void unlock() {
    m.unlock();
    let_others_run();
  }
};

TEST_F(condition_variable_test, a_lock_may_suspend_and_be_cancelled_at_the_same_time) {
  WEFT_TEST_CLOCK(clock);
  slow_lock slow{m};
  bool locked_again = false;
  victim v([&] {
    slow.lock();
    try {
      changed.wait(slow);
    } catch (const cancelled&) {
      locked_again = !m.try_lock();
      m.unlock();
      throw;
    }
  });
  this_fiber::sleep_for(1ms);
  v.cancel();
  v.join();
  EXPECT_TRUE(v.was_cancelled() && locked_again);

  const fiber waiter = spawn([&] {
    slow.lock();
    changed.wait(slow);
    m.unlock();
  });
  // A notification that comes while `unlock` has not returned yet counts.
  EXPECT_TRUE(eventually([&] {
    changed.notify_one();
    return waiter.ready();
  }));
}

TEST_F(condition_variable_test, waiting_without_the_lock_throws) {
  std::unique_lock lock(m, std::defer_lock);
  EXPECT_EQ(failure_of([&] { changed.wait(lock); }), std::errc::operation_not_permitted);
  EXPECT_EQ(failure_of([&] { changed.wait(m); }), std::errc::operation_not_permitted);
  changed.notify_one();  // nobody was left behind in the queue
}

TEST_F(condition_variable_test, may_be_destroyed_once_all_were_notified) {
  for (const bool from_another_thread : {false, true}) {
    for (int i = 0; i < 200; ++i) {
      auto own = std::make_unique<condition_variable>();
      bool waits = false;
      const auto wait = [&] {
        std::unique_lock lock(m);
        waits = true;
        own->wait(lock, 50us * (i % 3 + 1));
      };
      fiber f;
      std::thread t;
      if (from_another_thread) {
        t = std::thread(wait);
      } else {
        f = spawn(wait);
      }
      EXPECT_TRUE(eventually([&] {
        const std::lock_guard guard(m);
        return waits;
      }));
      own->notify_all();
      own.reset();
      if (t.joinable()) t.join();
      f.join();
    }
  }
}

TEST_F(condition_variable_test, fibers_of_several_hubs_and_plain_threads_share_it) {
  // A short queue of jobs that some make and the others take; none may be lost.
  condition_variable not_empty, not_full;
  std::deque<int> jobs;
  const crowd c;
  constexpr int rounds = 200;
  const int makers = (c.size() + 1) / 2;
  long made = 0, taken = 0;
  int left = makers * rounds;
  const auto make = [&] {
    for (int i = 0; i < rounds; ++i) {
      std::unique_lock lock(m);
      not_full.wait(lock, [&] { return jobs.size() < 3; });
      jobs.push_back(i);
      made += i;
      not_empty.notify_one();
    }
  };
  const auto take = [&] {
    for (;;) {
      std::unique_lock lock(m);
      while (!not_empty.wait(
          lock, [&] { return !jobs.empty() || left == 0; }, 30us)) {
      }
      if (jobs.empty()) return;
      taken += jobs.front();
      jobs.pop_front();
      if (--left == 0) not_empty.notify_all();
      not_full.notify_one();
    }
  };
  run_crowd(c, [&](int number) { number % 2 == 0 ? make() : take(); });
  EXPECT_EQ(taken, made);
  EXPECT_TRUE(jobs.empty());
}

TEST(condition_variable_death_test, destroying_one_that_somebody_waits_for_aborts) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        mutex m;
        auto c = std::make_unique<condition_variable>();
        spawn([&] {
          std::unique_lock lock(m);
          c->wait(lock);
        });
        this_fiber::yield();
        c.reset();
      },
      "the condition_variable 0x[0-9a-f]+ is destroyed");
}

}  // namespace
}  // namespace weft
