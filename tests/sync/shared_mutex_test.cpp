// SPDX-License-Identifier: MIT
#include "weft/shared_mutex.hpp"

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
using ::testing::AnyOf;

static_assert(timed_lockable<shared_mutex>);
static_assert(shared_timed_lockable<shared_mutex>);
static_assert(std::is_same_v<shared_timed_mutex, shared_mutex>);
static_assert(!std::is_copy_constructible_v<shared_mutex>);
static_assert(sizeof(shared_mutex) == 40);

TEST(shared_mutex, the_guards_of_the_standard_library_work_on_it) {
  WEFT_TEST_CLOCK(clock);
  shared_mutex m;
  {
    const std::shared_lock one(m);
    const std::shared_lock two(m, std::try_to_lock);
    const std::shared_lock three(m, 1ms);
    EXPECT_TRUE(two.owns_lock() && three.owns_lock());
    EXPECT_FALSE(m.try_lock());
  }
  {
    const std::lock_guard guard(m);
    EXPECT_FALSE(m.try_lock_shared());
  }
  const std::scoped_lock guard(m);
  EXPECT_FALSE(m.try_lock());
}

TEST(shared_mutex, readers_are_together_and_a_writer_is_alone) {
  shared_mutex m;
  int readers = 0, writers = 0, most_readers = 0;
  std::vector<fiber> fibers;
  for (int i = 0; i < 12; ++i) {
    fibers.push_back(spawn([&, writes = i % 4 == 0] {
      for (int k = 0; k < 20; ++k) {
        if (writes) {
          const std::lock_guard guard(m);
          EXPECT_EQ(readers + writers++, 0);
          this_fiber::yield();
          --writers;
        } else {
          const std::shared_lock guard(m);
          EXPECT_EQ(writers, 0);
          most_readers = std::max(most_readers, ++readers);
          this_fiber::yield();
          --readers;
        }
      }
    }));
  }
  for (const fiber& f : fibers) f.join();
  EXPECT_GT(most_readers, 1);
}

// Each notes its name once it is in, and goes at once.
class arrivals {
 public:
  explicit arrivals(shared_mutex& m) : m_(m) {}
  fiber reader(char name, deadline by = deadline::never()) {
    return come([this, name, by] {
      if (!m_.lock_shared(by)) return;
      order += name;
      m_.unlock_shared();
    });
  }
  fiber writer(char name, deadline by = deadline::never()) {
    return come([this, name, by] {
      if (!m_.lock(by)) return;
      order += name;
      m_.unlock();
    });
  }
  std::string order;

 private:
  template <class F>
  static fiber come(F body) {
    fiber f = spawn(body);
    let_others_run();
    return f;
  }
  shared_mutex& m_;
};

TEST(shared_mutex, a_reader_goes_behind_a_writer_that_waits) {
  shared_mutex m;
  arrivals a(m);
  m.lock_shared();
  const fiber w = a.writer('W');
  const fiber r1 = a.reader('1');
  const fiber r2 = a.reader('2');
  const fiber x = a.writer('X');
  const fiber r3 = a.reader('3');
  let_others_run();
  EXPECT_EQ(a.order, "");
  EXPECT_FALSE(m.try_lock_shared());
  m.unlock_shared();
  for (const fiber* f : {&w, &r1, &r2, &x, &r3}) f->join();
  EXPECT_THAT(a.order, AnyOf("W12X3", "W21X3"));
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

TEST(shared_mutex, readers_that_stand_together_go_together) {
  shared_mutex m;
  m.lock();
  int inside = 0, most = 0;
  std::vector<fiber> fibers;
  for (int i = 0; i < 5; ++i) {
    fibers.push_back(spawn([&] {
      const std::shared_lock guard(m);
      most = std::max(most, ++inside);
      let_others_run();
      --inside;
    }));
  }
  let_others_run();
  m.unlock();
  for (const fiber& f : fibers) f.join();
  EXPECT_EQ(most, 5);
}

TEST(shared_mutex, readers_go_on_when_the_writer_before_them_times_out) {
  WEFT_TEST_CLOCK(clock);
  shared_mutex m;
  arrivals a(m);
  m.lock_shared();
  const fiber w = a.writer('W', 1ms);
  const fiber r = a.reader('r');
  const fiber x = a.writer('X');
  r.join();
  EXPECT_EQ(a.order, "r") << "another reader holds it, so there is nothing to wait for";
  m.unlock_shared();
  x.join();
  w.join();
  EXPECT_EQ(a.order, "rX");
}

TEST(shared_mutex, readers_go_on_when_the_writer_before_them_is_cancelled) {
  shared_mutex m;
  arrivals a(m);
  m.lock_shared();
  victim w([&] { m.lock(); });
  let_others_run();
  const fiber r = a.reader('r');
  let_others_run();
  EXPECT_EQ(a.order, "");
  w.cancel();
  r.join();
  EXPECT_TRUE(w.join() && w.was_cancelled());
  m.unlock_shared();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

TEST(shared_mutex, a_cancelled_reader_has_not_locked) {
  shared_mutex m;
  m.lock();
  victim r([&] { m.lock_shared(); });
  let_others_run();
  r.cancel();
  r.join();
  EXPECT_TRUE(r.was_cancelled());
  m.unlock();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

TEST(shared_mutex, a_hand_over_wins_against_a_cancellation) {
  shared_mutex m;
  m.lock();
  bool locked = false;
  victim r([&] {
    const std::shared_lock guard(m);
    locked = true;
  });
  let_others_run();
  m.unlock();
  r.cancel();
  r.join();
  EXPECT_TRUE(locked && r.finished());
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

TEST(shared_mutex, a_passed_deadline_means_try) {
  shared_mutex m;
  EXPECT_TRUE(m.lock_shared(0s));
  EXPECT_FALSE(m.lock(0s));
  EXPECT_FALSE(m.try_lock_for(0s));
  EXPECT_TRUE(m.try_lock_shared_for(0s)) << "the writer above has given up";
  m.unlock_shared();
  m.unlock_shared();
  EXPECT_TRUE(m.try_lock_until(std::chrono::steady_clock::now()));
  spawn([&] { EXPECT_FALSE(m.try_lock_shared_until(std::chrono::system_clock::now() - 1h)); }).join();
  m.unlock();
}

TEST(shared_mutex, misuse_throws_and_changes_nothing) {
  shared_mutex m;
  EXPECT_EQ(failure_of([&] { m.unlock(); }), std::errc::operation_not_permitted);
  EXPECT_EQ(failure_of([&] { m.unlock_shared(); }), std::errc::operation_not_permitted);
  m.lock();
  EXPECT_EQ(failure_of([&] { m.lock(); }), std::errc::resource_deadlock_would_occur);
  EXPECT_EQ(failure_of([&] { m.lock_shared(); }), std::errc::resource_deadlock_would_occur);
  EXPECT_EQ(failure_of([&] { m.unlock_shared(); }), std::errc::operation_not_permitted);
  spawn([&] { EXPECT_EQ(failure_of([&] { m.unlock(); }), std::errc::operation_not_permitted); }).join();
  m.unlock();
  m.lock_shared();
  EXPECT_EQ(failure_of([&] { m.unlock(); }), std::errc::operation_not_permitted);
  EXPECT_TRUE(m.try_lock_shared());
  m.unlock_shared();
  m.unlock_shared();
}

TEST(shared_mutex, a_thread_that_gets_a_hub_keeps_what_it_holds) {
  std::thread([] {
    shared_mutex m;
    m.lock();
    spawn([&] { EXPECT_FALSE(m.try_lock_shared()); }).join();
    EXPECT_EQ(failure_of([&] { m.lock_shared(); }), std::errc::resource_deadlock_would_occur);
    m.unlock();
  }).join();
}

TEST(shared_mutex, fibers_of_several_hubs_and_plain_threads_share_it) {
  shared_mutex m;
  int first = 0, second = 0;  // equal outside a writer's section
  std::atomic<int> written{0};
  run_crowd({}, [&](int number) {
    for (int i = 0; i < 200; ++i) {
      const deadline by = i % 3 == 0 ? deadline(std::chrono::microseconds(i % 50)) : deadline::never();
      if ((i + number) % 4 == 0) {
        if (!m.lock(by)) continue;
        ++first;
        if (i % 8 == 0) this_fiber::yield();
        ++second;
        written.fetch_add(1);
        m.unlock();
      } else {
        if (!m.lock_shared(by)) continue;
        EXPECT_EQ(first, second);
        if (i % 8 == 0) this_fiber::yield();
        EXPECT_EQ(first, second);
        m.unlock_shared();
      }
    }
  });
  EXPECT_EQ(first, written);
  EXPECT_TRUE(m.try_lock()) << "every hand-over was taken";
  m.unlock();
}

TEST(shared_mutex, may_be_destroyed_by_who_locked_it_next) {
  unlock_while_another_destroys<shared_mutex>([](shared_mutex& m, int turn) {
    const bool shared = turn % 2 == 0;
    shared ? m.lock_shared() : m.lock();
    return [&m, shared] { shared ? m.unlock_shared() : m.unlock(); };
  });
}

TEST(shared_mutex_death_test, destroying_a_held_one_aborts) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        std::optional<shared_mutex> m(std::in_place);
        m->lock_shared();
        m.reset();
      },
      "the shared_mutex 0x[0-9a-f]+ is destroyed");
}

}  // namespace
}  // namespace weft
