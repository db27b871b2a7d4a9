// SPDX-License-Identifier: MIT
// What fiber_executor and thread_pool have in common.
#include "weft/executor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "tests/core/cancelling.hpp"
#include "weft/channel.hpp"
#include "weft/fiber_executor.hpp"
#include "weft/thread_pool.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using testing_support::cancels;

template <class Executor>
struct maker;
template <>
struct maker<fiber_executor> {
  static fiber_executor make(std::size_t limit) { return fiber_executor(limit); }
};
template <>
struct maker<thread_pool> {
  static thread_pool make(std::size_t limit) { return thread_pool({.limit = limit}); }
};

template <class Executor>
class executors : public testing::Test {};
using both = testing::Types<fiber_executor, thread_pool>;
TYPED_TEST_SUITE(executors, both);

int add(int a, int b) { return a + b; }

// Holds tasks until it is opened.
struct door {
  promise<void> opener;
  shared_future<void> opened = opener.get_future();
  std::atomic<int> waiting{0};
  void pass() {
    ++waiting;
    opened.get();
  }
  void wait_for(int count) const {
    while (waiting < count) this_fiber::sleep_for(100us);
  }
  void open() { opener.set_value(); }
};

TYPED_TEST(executors, give_a_future_for_a_call) {
  TypeParam e = maker<TypeParam>::make(2);
  EXPECT_EQ(e.submit(add, 1, 2).get(), 3);
  EXPECT_EQ(*e.submit([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(5)).get(), 5);
  e.submit([] {}).get();
  EXPECT_THROW(e.submit([]() -> int { throw std::domain_error("x"); }).get(), std::domain_error);
  int place = 0;
  e.submit([&place]() -> int& { return place; }).get() = 8;
  EXPECT_EQ(place, 8);
}

TYPED_TEST(executors, apply_gives_the_result_or_throws) {
  TypeParam e = maker<TypeParam>::make(1);
  EXPECT_EQ(e.apply(add, 2, 3), 5);
  EXPECT_THROW(e.apply([] { throw 1; }), int);
}

TYPED_TEST(executors, apply_within_a_task_of_a_full_executor_is_inline) {
  TypeParam e = maker<TypeParam>::make(1);
  EXPECT_EQ(e.apply([&] { return e.apply([&] { return e.apply(add, 1, 1); }); }), 2);
}

TYPED_TEST(executors, run_no_more_at_once_than_the_limit_and_in_order) {
  door d;
  TypeParam e = maker<TypeParam>::make(2);
  std::vector<future<void>> all;
  std::atomic<int> begun{0};
  std::vector<int> order(6);
  for (int i = 0; i < 6; ++i) {
    all.push_back(e.submit([&, i] {
      order[static_cast<std::size_t>(i)] = begun++;
      d.pass();
    }));
  }
  d.wait_for(2);
  this_fiber::yield();
  EXPECT_EQ(begun, 2);
  EXPECT_EQ(e.workers(), 2U);
  EXPECT_EQ(e.unfinished(), 6U);
  d.open();
  for (auto& f : all) f.get();
  for (std::size_t i = 2; i < order.size(); ++i) EXPECT_GE(order[i], 2);
}

TYPED_TEST(executors, a_raised_limit_lets_tasks_start) {
  door d;
  TypeParam e = maker<TypeParam>::make(1);
  for (int i = 0; i < 3; ++i) e.submit([&] { d.pass(); });
  d.wait_for(1);
  EXPECT_EQ(e.limit(), 1U);
  e.limit(3);
  d.wait_for(3);
  EXPECT_EQ(e.workers(), 3U);
  e.limit(1);
  d.open();
  EXPECT_TRUE(e.join());
}

TYPED_TEST(executors, with_a_limit_of_zero_nothing_starts) {
  TypeParam e = maker<TypeParam>::make(1);
  e.limit(0);
  future<int> f = e.submit(add, 1, 2);
  EXPECT_FALSE(f.wait(1ms));
  EXPECT_EQ(e.workers(), 0U);
  e.limit(no_limit);
  EXPECT_EQ(f.get(), 3);
}

TYPED_TEST(executors, cancel_a_task_that_has_not_begun) {
  door d;
  TypeParam e = maker<TypeParam>::make(1);
  future<void> running = e.submit([&] { d.pass(); });
  d.wait_for(1);
  bool ran = false;
  future<void> waiting = e.submit([&] { ran = true; });
  EXPECT_FALSE(running.cancel());
  EXPECT_TRUE(waiting.cancel());
  EXPECT_TRUE(waiting.ready());
  d.open();
  EXPECT_TRUE(e.join());
  EXPECT_FALSE(ran);
  EXPECT_THROW(waiting.get(), task_cancelled);
  running.get();
}

TYPED_TEST(executors, cancel_all_that_have_not_begun) {
  door d;
  TypeParam e = maker<TypeParam>::make(1);
  future<void> running = e.submit([&] { d.pass(); });
  d.wait_for(1);
  std::vector<future<void>> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(e.submit([] {}));
  EXPECT_EQ(e.cancel_pending(), 4U);
  for (auto& f : waiting) EXPECT_THROW(f.get(), task_cancelled);
  EXPECT_FALSE(e.join(1ms));
  d.open();
  EXPECT_TRUE(e.join());
  EXPECT_EQ(e.cancel_pending(), 0U);
}

TYPED_TEST(executors, closed_they_refuse_and_finish_what_they_have) {
  TypeParam e = maker<TypeParam>::make(1);
  std::atomic<int> ran{0};
  for (int i = 0; i < 5; ++i) e.submit([&] { ++ran; });
  e.close();
  e.close();
  EXPECT_THROW(e.submit([] {}), executor_closed);
  EXPECT_TRUE(e.shutdown());
  EXPECT_EQ(ran, 5);
  EXPECT_EQ(e.unfinished(), 0U);
}

TYPED_TEST(executors, destruction_waits_for_all_tasks) {
  std::atomic<int> ran{0};
  {
    TypeParam e = maker<TypeParam>::make(2);
    for (int i = 0; i < 8; ++i) {
      e.submit([&] {
        this_fiber::yield();
        ++ran;
      });
    }
  }
  EXPECT_EQ(ran, 8);
}

TYPED_TEST(executors, what_a_task_holds_goes_before_its_future_is_ready) {
  TypeParam e = maker<TypeParam>::make(1);
  auto held = std::make_shared<int>(1);
  std::weak_ptr<int> watch = held;
  future<void> f = e.submit([held = std::move(held)] {});
  f.wait();
  EXPECT_TRUE(watch.expired());
}

TYPED_TEST(executors, a_future_that_nobody_wants_does_no_harm) {
  TypeParam e = maker<TypeParam>::make(1);
  bool ran = false;
  e.submit([&] { ran = true; });
  EXPECT_TRUE(e.join());
  EXPECT_TRUE(ran);
}

TYPED_TEST(executors, every_wait_can_be_cancelled) {
  door d;
  TypeParam e = maker<TypeParam>::make(1);
  future<void> running = e.submit([&] { d.pass(); });
  d.wait_for(1);
  bool ran = false;
  EXPECT_TRUE(cancels([&] { e.join(); }));
  EXPECT_TRUE(cancels([&] { e.shutdown(); }));
  EXPECT_THROW(e.submit([] {}), executor_closed);
  EXPECT_FALSE(ran);
  d.open();
}

TYPED_TEST(executors, a_cancelled_apply_cancels_a_task_that_has_not_begun) {
  door d;
  TypeParam e = maker<TypeParam>::make(1);
  future<void> running = e.submit([&] { d.pass(); });
  d.wait_for(1);
  bool ran = false;
  EXPECT_TRUE(cancels([&] { e.apply([&] { ran = true; }); }));
  d.open();
  EXPECT_TRUE(e.join());
  EXPECT_FALSE(ran);
}

TYPED_TEST(executors, map_gives_results_in_order) {
  TypeParam e = maker<TypeParam>::make(3);
  std::vector<int> numbers(20);
  std::iota(numbers.begin(), numbers.end(), 0);
  for (std::size_t most : {0U, 1U, 4U}) {
    std::vector<int> got;
    for (int& n : e.map([](int k) { return k * k; }, numbers, most)) got.push_back(n);
    ASSERT_EQ(got.size(), 20U);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i * i);
  }
}

TYPED_TEST(executors, map_unordered_gives_each_as_it_comes) {
  door d;
  TypeParam e = maker<TypeParam>::make(3);
  auto results = e.map_unordered(
      [&](int n) {
        if (n == 0) d.pass();
        return n;
      },
      std::vector<int>{0, 1, 2, 3}, 0);
  std::vector<int> got;
  for (int i = 0; i < 3; ++i) got.push_back(*results.next());
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(results.next(1ms), std::nullopt);
  EXPECT_FALSE(results.done());
  d.open();
  EXPECT_EQ(results.next(), 0);
  EXPECT_TRUE(results.done());
  EXPECT_EQ(results.next(), std::nullopt);
}

TYPED_TEST(executors, map_is_lazy_within_its_bound) {
  TypeParam e = maker<TypeParam>::make(8);
  int taken = 0;
  struct counting {
    int* taken;
    struct iterator {
      int* taken;
      int at;
      int operator*() const { return at; }
      iterator& operator++() {
        ++at;
        ++*taken;
        return *this;
      }
      bool operator!=(const iterator& o) const { return at != o.at; }
      bool operator==(const iterator& o) const { return at == o.at; }
    };
    iterator begin() const { return {taken, 0}; }
    iterator end() const { return {taken, 1'000'000}; }
  } many{&taken};
  {
    auto results = e.map([](int n) { return n; }, many, 3);
    EXPECT_EQ(taken, 3);
    EXPECT_EQ(results.next(), 0);
    EXPECT_EQ(taken, 4);
    EXPECT_EQ(results.next(), 1);
    EXPECT_EQ(taken, 5);
  }
  auto loose = e.map_unordered([](int n) { return n; }, many, 2);
  EXPECT_EQ(taken, 7);
}

TYPED_TEST(executors, map_throws_where_the_result_would_stand_and_goes_on) {
  TypeParam e = maker<TypeParam>::make(1);
  auto fails_at_one = [](int n) {
    if (n == 1) throw std::domain_error("one");
    return n;
  };
  auto ordered = e.map(fails_at_one, std::vector<int>{0, 1, 2});
  EXPECT_EQ(ordered.next(), 0);
  EXPECT_THROW(ordered.next(), std::domain_error);
  EXPECT_EQ(ordered.next(), 2);
  EXPECT_EQ(ordered.next(), std::nullopt);
  auto loose = e.map_unordered(fails_at_one, std::vector<int>{0, 1, 2});
  int good = 0, bad = 0;
  while (!loose.done()) {
    try {
      loose.next();
      ++good;
    } catch (const std::domain_error&) {
      ++bad;
    }
  }
  EXPECT_EQ(good, 2);
  EXPECT_EQ(bad, 1);
}

// A range that fails at its third element.
struct broken {
  struct iterator {
    int at;
    int operator*() const {
      if (at == 2) throw std::out_of_range("broken");
      return at;
    }
    iterator& operator++() {
      ++at;
      return *this;
    }
    bool operator!=(const iterator&) const { return true; }
    bool operator==(const iterator&) const { return false; }
  };
  iterator begin() const { return {0}; }
  iterator end() const { return {0}; }
};

TYPED_TEST(executors, map_over_a_range_that_throws) {
  TypeParam e = maker<TypeParam>::make(1);
  EXPECT_THROW(e.map([](int n) { return n; }, broken()), std::out_of_range);
  auto results = e.map([](int n) { return n; }, broken(), 1);
  EXPECT_EQ(results.next(), 0);
  EXPECT_EQ(results.next(), 1) << "it was there before the range broke";
  EXPECT_THROW(results.next(), std::out_of_range);
  EXPECT_TRUE(results.done());
}

TYPED_TEST(executors, map_that_throws_at_once_cancels_what_has_not_begun) {
  door d;
  TypeParam e = maker<TypeParam>::make(1);
  std::atomic<int> ran{0};
  const auto wait = [&](int) {
    d.pass();
    ++ran;
  };
  EXPECT_THROW(e.map_unordered(wait, broken()), std::out_of_range);
  EXPECT_THROW(e.map(wait, broken()), std::out_of_range);
  d.open();
  EXPECT_TRUE(e.join());
  EXPECT_LE(ran, 1) << "the first may have begun";
}

TYPED_TEST(executors, results_that_are_left_cancel_what_has_not_begun) {
  door d;
  TypeParam e = maker<TypeParam>::make(1);
  std::atomic<int> ran{0};
  {
    auto results = e.map(
        [&](int) {
          d.pass();
          ++ran;
        },
        std::vector<int>(10));
    d.wait_for(1);
    EXPECT_TRUE(cancels([&] { results.next(); }));
  }
  d.open();
  EXPECT_TRUE(e.join());
  EXPECT_EQ(ran, 1);
}

// As its header says: a read begins the next element, and the range is read one ahead of that.
TYPED_TEST(executors, map_over_a_range_that_waits_holds_up_what_is_ready) {
  TypeParam e = maker<TypeParam>::make(2);
  channel<int> from(2);
  ASSERT_TRUE(from.send(1) && from.send(2));
  auto results = e.map([](int n) { return n; }, from, 1);
  EXPECT_TRUE(e.join());
  auto reader = spawn([&] { return results.next(0s); });
  for (int i = 0; i < 3; ++i) this_fiber::yield();
  EXPECT_FALSE(reader.ready());
  from.close();
  EXPECT_EQ(reader.get(1min), 1);
  EXPECT_EQ(results.next(), 2);
  EXPECT_TRUE(results.done());
}

TYPED_TEST(executors, map_of_void_and_of_references) {
  TypeParam e = maker<TypeParam>::make(2);
  std::atomic<int> sum{0};
  int count = 0;
  for ([[maybe_unused]] auto& done : e.map([&](int n) { sum += n; }, std::vector<int>{1, 2, 3})) ++count;
  EXPECT_EQ(count, 3);
  EXPECT_EQ(sum, 6);
  int places[2] = {0, 0};
  for (auto& place : e.map([&](int i) -> int& { return places[i]; }, std::vector<int>{0, 1})) place.get() = 5;
  EXPECT_EQ(places[0] + places[1], 10);
}

TYPED_TEST(executors, can_be_used_from_threads_and_hubs_at_once) {
  TypeParam e = maker<TypeParam>::make(3);
  std::atomic<int> sum{0};
  std::atomic<int> finished{0};
  std::vector<std::thread> users;
  for (int t = 0; t < 3; ++t) {
    users.emplace_back([&] {
      std::vector<future<int>> asked;
      for (int i = 0; i < 50; ++i) asked.push_back(e.submit(add, i, 1));
      for (auto& f : asked) sum += f.get();
      ++finished;
    });
  }
  for (int i = 0; i < 50; ++i) sum += e.apply(add, i, 1);
  // A task that waits in the queue may be run on any of these threads' hubs: this one serves until all are done.
  while (finished < 3) this_fiber::yield();
  for (auto& u : users) u.join();
  EXPECT_EQ(sum, 4 * 50 * 51 / 2);
}

}  // namespace
}  // namespace weft
