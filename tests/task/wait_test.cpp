// SPDX-License-Identifier: MIT
#include "weft/wait.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/plain_threads.hpp"
#include "weft/cancelled.hpp"
#include "weft/detail/spin.hpp"
#include "weft/event.hpp"
#include "weft/fiber.hpp"
#include "weft/test_clock.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

static_assert(waitable<fiber> && waitable<task<int>> && waitable<waitable_ref> && !waitable<int>);

// Becomes ready and unready as often as one likes.
class lamp {
 public:
  bool ready() const {
    const std::lock_guard guard(lock_);
    return on_;
  }
  void add_waiter(detail::subscription& s) {
    const std::lock_guard guard(lock_);
    waiters_.add(s);
    if (on_) s.notify(s);
  }
  void remove_waiter(detail::subscription& s) noexcept {
    const std::lock_guard guard(lock_);
    waiters_.remove(s);
  }
  void set(bool on) {
    const std::lock_guard guard(lock_);
    on_ = on;
    if (on) waiters_.notify();
  }
  bool watched() const {
    const std::lock_guard guard(lock_);
    return !waiters_.empty();
  }

 private:
  mutable detail::spinlock lock_;
  bool on_ = false;
  detail::subscription_list waiters_;
};

std::vector<task<int>> three() {
  std::vector<task<int>> all;
  for (int turns : {3, 1, 2}) {
    all.push_back(spawn([turns] {
      for (int i = 0; i < turns; ++i) this_fiber::yield();
      return turns;
    }));
  }
  return all;
}

TEST(wait_each, gives_each_once_as_it_becomes_ready) {
  std::vector<task<int>> all = three();
  std::string order;
  for (task<int>& t : wait_each(all)) order += static_cast<char>('0' + t.get());
  EXPECT_EQ(order, "123");
  order.clear();
  for (task<int>& t : wait_each(all)) order += static_cast<char>('0' + t.get());
  EXPECT_EQ(order, "312") << "all ready at the start: as they stand";
}

TEST(wait_each, is_lazy_and_ends_at_its_deadline) {
  WEFT_TEST_CLOCK(clock);
  std::vector<task<int>> all = three();
  all.push_back(spawn_after(1h, [] { return 4; }));
  int seen = 0;
  for (task<int>& t : wait_each(all)) {
    EXPECT_EQ(t.get(), 1);
    ++seen;
    break;
  }
  EXPECT_EQ(seen, 1);
  for (const task<int>& t : wait_each(all, 2ms)) {
    EXPECT_LT(t.get(), 4);
    ++seen;
  }
  EXPECT_EQ(seen, 4);
  EXPECT_TRUE(all.back().kill());
  std::vector<task<int>> none;
  for (task<int>& t : wait_each(none)) ADD_FAILURE() << t.get_id();
}

TEST(wait_each, waits_on_for_what_was_ready_only_for_a_moment) {
  lamp l;
  std::vector<waitable_ref> all{l};
  int given = 0;
  const task<> waits = spawn([&] {
    for (const waitable_ref& w : wait_each(all)) given += w.is(l) ? 1 : 0;
  });
  this_fiber::yield();
  l.set(true);
  l.set(false);
  this_fiber::yield();
  this_fiber::yield();
  EXPECT_EQ(given, 0);
  EXPECT_TRUE(l.watched());
  l.set(true);
  EXPECT_TRUE(waits.join());
  EXPECT_EQ(given, 1);
  EXPECT_FALSE(l.watched());
}

TEST(wait_each, can_be_cancelled_and_leaves_nothing_behind) {
  lamp l;
  std::vector<waitable_ref> all{l};
  const task<> waits = spawn([&] { (void)wait(all); });
  this_fiber::yield();
  EXPECT_TRUE(l.watched());
  EXPECT_TRUE(waits.kill());
  EXPECT_FALSE(l.watched());
}

TEST(wait_each, an_object_that_cannot_be_subscribed_to) {
  struct broken {
    bool ready() const { return false; }
    void add_waiter(detail::subscription&) { throw std::domain_error("broken"); }
    void remove_waiter(detail::subscription&) noexcept { ADD_FAILURE() << "was never added"; }
  } b;
  lamp first, second, behind;
  waitable_ref all[] = {first, second, b, behind};
  EXPECT_THROW((void)wait(all, 1, 60s), std::domain_error);
  EXPECT_FALSE(first.watched() || second.watched() || behind.watched());
}

TEST(wait, for_the_first_some_or_all) {
  WEFT_TEST_CLOCK(clock);
  std::vector<task<int>> all = three();
  const auto first = wait(all, 1);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0]->get(), 1);
  EXPECT_EQ(wait(all, 2).size(), 2u);
  EXPECT_EQ(wait(all).size(), 3u);
  EXPECT_EQ(wait(all, 100).size(), 3u);
  EXPECT_EQ(wait(all, 0).size(), 0u);
  all.push_back(spawn_after(1h, [] { return 4; }));
  EXPECT_EQ(wait(all, 1ms).size(), 3u);
  EXPECT_TRUE(all.back().kill());
}

TEST(wait, for_things_of_different_types) {
  lamp l;
  const task<int> t = spawn_after(1h, [] { return 1; });
  const fiber f = spawn([&] { l.set(true); });
  waitable_ref all[] = {l, t, f};
  const auto ready = wait(all, 2);
  ASSERT_EQ(ready.size(), 2u);
  EXPECT_TRUE(ready[0]->is(l));
  EXPECT_TRUE(ready[1]->is(f));
  EXPECT_TRUE(t.kill());
}

TEST(wait, for_fibers_of_other_hubs_and_on_a_plain_thread) {
  std::vector<task<int>> all;
  for (int i = 0; i < 30; ++i) {
    all.push_back(spawn([i] {
      this_fiber::sleep_for(std::chrono::microseconds(37 * i % 300));
      return i;
    }));
  }
  std::vector<std::thread> threads;
  std::atomic<int> seen{0};
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      auto look = [&] {
        for (const task<int>& each : wait_each(all)) {
          EXPECT_TRUE(each.ready());
          ++seen;
        }
      };
      t == 0 ? look() : (void)spawn(look).join();
    });
  }
  EXPECT_TRUE(join_all(all));
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(seen, 90);
}

TEST(join_all, says_whether_all_have_ended_in_time) {
  WEFT_TEST_CLOCK(clock);
  std::vector<task<int>> all = three();
  EXPECT_TRUE(join_all(all));
  EXPECT_TRUE(join_all(std::vector<fiber>()));
  const fiber slow = spawn_after(1h, [] {});
  EXPECT_FALSE(join_all({all[0], slow}, 1ms));
  EXPECT_TRUE(kill_all(std::vector<fiber>{slow}));
}

TEST(kill_all, throws_the_same_at_each_and_runs_none_that_has_not_begun) {
  int ran = 0, caught = 0;
  std::vector<task<>> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(spawn([&] {
      ++ran;
      try {
        this_fiber::sleep_for(1h);
      } catch (int) {
        ++caught;
      }
    }));
  }
  this_fiber::yield();
  all.push_back(spawn([&] { ++ran; }));
  EXPECT_TRUE(kill_all(all, std::make_exception_ptr(1)));
  EXPECT_EQ(ran, 3);
  EXPECT_EQ(caught, 3);
  EXPECT_NE(all.back().exception(), nullptr);
}

TEST(join_all, of_no_fiber_and_of_oneself) {
  EXPECT_TRUE(join_all(std::vector<fiber>()));
  int ended = 0;
  const fiber other = spawn([&] { ++ended; });
  EXPECT_FALSE(join_all({fiber(), other}));
  EXPECT_EQ(ended, 1) << "the others are waited for";
  EXPECT_FALSE(kill_all(std::vector<fiber>(2)));
  fiber self;
  self = spawn([&] { EXPECT_FALSE(join_all({self})); });
  EXPECT_TRUE(self.join(1min));
}

TEST(kill_all, reaches_a_caller_that_is_among_them) {
  fiber self;
  bool was_thrown = false;
  self = spawn([&] {
    const fiber other = spawn([] { this_fiber::sleep_for(1h); });
    try {
      kill_all(std::vector<fiber>{self, other});
      // The end of the other one comes first if it has ended before the park; then the kill waits for what is next.
      this_fiber::sleep_for(1h);
    } catch (const cancelled&) {
      was_thrown = true;
      throw;
    }
  });
  EXPECT_TRUE(self.join(1min));
  EXPECT_TRUE(was_thrown);
}

TEST(wait, for_none_of_them) {
  event never;
  std::vector<waitable_ref> objects{never};
  EXPECT_TRUE(wait(objects, 0).empty()) << "without a wait";
  event e(true);
  objects = {e, never};
  wait_each each(objects, 1ms);
  std::size_t first = 0, second = 0;
  for ([[maybe_unused]] waitable_ref& one : each) ++first;
  for ([[maybe_unused]] waitable_ref& one : each) ++second;
  EXPECT_EQ(first, 1U);
  EXPECT_EQ(second, 0U) << "it is read once";
}

TEST(kill_all, ends_at_its_deadline) {
  WEFT_TEST_CLOCK(clock);
  std::vector<task<>> stubborn;
  bool stop = false;
  stubborn.push_back(spawn([&] {
    while (!stop) this_fiber::shield([] { this_fiber::sleep_for(100us); });
  }));
  this_fiber::yield();
  EXPECT_FALSE(kill_all(stubborn, 1ms));
  stop = true;
  EXPECT_TRUE(join_all(stubborn));
}

}  // namespace
}  // namespace weft
