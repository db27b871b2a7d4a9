// SPDX-License-Identifier: MIT
// Every call that waits for fibers, futures, groups, pools and executors gives up at its deadline and by a cancellation, and has then
// changed nothing: what it waited for goes on, and comes.
#include "core/cancelling.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "weft/as_completed.hpp"
#include "weft/channel.hpp"
#include "weft/coroutine.hpp"
#include "weft/event.hpp"
#include "weft/fiber.hpp"
#include "weft/fiber_executor.hpp"
#include "weft/future.hpp"
#include "weft/group.hpp"
#include "weft/pool.hpp"
#include "weft/std_future.hpp"
#include "weft/thread_pool.hpp"
#include "weft/wait.hpp"
#include "weft/when.hpp"

namespace weft {
namespace {

using namespace std::chrono_literals;
using testing_support::cancels;
using testing_support::expect_given_up;

// @return whether @p get gave something; its time-out is what others say by a value
template <class F>
bool in_time(F get) {
  try {
    get();
    return true;
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::timed_out);
    return false;
  }
}

TEST(cancelling, fibers) {
  event gate;
  task<int> t = spawn([&] {
    gate.wait();
    return 5;
  });
  std::vector<fiber> all{t};
  expect_given_up("join", [&](deadline by) { return t.join(by); });
  expect_given_up("get", [&](deadline by) { return in_time([&] { t.get(by); }); });
  expect_given_up("get, moving out", [&](deadline by) { return in_time([&] { task<int>(t).get(by); }); });
  expect_given_up("join_all", [&](deadline by) { return join_all(all, by); });
  expect_given_up("wait", [&](deadline by) { return !wait(all, by).empty(); });
  expect_given_up("wait_each", [&](deadline by) { return wait_each(all, by).next() != nullptr; });
  EXPECT_FALSE(t.ready()) << "it goes on";
  gate.set();
  EXPECT_EQ(t.get(1min), 5);
}

TEST(cancelling, kills_of_one_that_takes_its_time) {
  event gate;
  const fiber f = spawn([&] {
    const shield until_done;
    gate.wait();
  });
  std::vector<fiber> all{f};
  this_fiber::yield();
  expect_given_up("kill", [&](deadline by) { return f.kill(by); });
  expect_given_up("kill_all", [&](deadline by) { return kill_all(all, by); });
  gate.set();
  EXPECT_TRUE(f.join(1min));
}

TEST(cancelling, futures) {
  promise<int> p, q;
  future<int> f = p.get_future();
  shared_future<int> s = q.get_future().share();
  std::promise<int> foreign;
  const std::shared_future<int> std_one = foreign.get_future().share();
  expect_given_up("wait", [&](deadline by) { return f.wait(by); });
  expect_given_up("get", [&](deadline by) { return in_time([&] { f.get(by); }); });
  expect_given_up("wait of a shared one", [&](deadline by) { return s.wait(by); });
  expect_given_up("get of a shared one", [&](deadline by) { return in_time([&] { s.get(by); }); });
  expect_given_up("await", [&](deadline by) {
    if (!by.is_never()) return await(s, by).has_value();
    await(s);
    return true;
  });
  expect_given_up("wait of a std::shared_future", [&](deadline by) { return wait(std_one, by); });
  EXPECT_TRUE(f.valid() && s.valid());
  future<int> after = s.then([](const shared_future<int>& of) { return of.get() + 1; });
  future<std::vector<future<int>>> both = when_all(std::vector<future<int>>());
  both = [&] {
    std::vector<future<int>> two;
    two.push_back(std::move(f));
    two.push_back(std::move(after));
    return when_all(std::move(two));
  }();
  expect_given_up("when_all", [&](deadline by) { return in_time([&] { both.get(by); }); });
  p.set_value(1);
  q.set_value(2);
  foreign.set_value(3);
  auto ready = both.get(1min);
  EXPECT_EQ(ready[0].get(), 1);
  EXPECT_EQ(ready[1].get(), 3);
  EXPECT_TRUE(wait(std_one, 1min));
}

TEST(cancelling, several_futures) {
  std::vector<promise<int>> promises(2);
  std::vector<future<int>> futures;
  for (promise<int>& p : promises) futures.push_back(p.get_future());
  expect_given_up("as_completed", [&](deadline by) { return as_completed(futures, by).next(by) != nullptr; });
  for (const return_when when :
       {return_when::first_completed, return_when::first_exception, return_when::all_completed}) {
    expect_given_up("wait for some", [&](deadline by) { return !wait(futures, when, by).done.empty(); });
  }
  promises[1].set_value(1);
  EXPECT_EQ(wait(futures, return_when::first_completed, 1min).done, std::vector<std::size_t>{1});
  promises[0].set_value(0);
  EXPECT_EQ(futures[0].get() + futures[1].get(), 1);
}

template <class Pool>
class groups : public testing::Test {};
using group_classes = testing::Types<group, pool>;
TYPED_TEST_SUITE(groups, group_classes);

TYPED_TEST(groups, are_given_up) {
  event gate;
  TypeParam g;
  const fiber member = g.spawn([&] {
    const shield until_done;
    gate.wait();
  });
  this_fiber::yield();
  expect_given_up("join", [&](deadline by) { return g.join(by); });
  expect_given_up("join_and_rethrow", [&](deadline by) { return g.join_and_rethrow(by); });
  EXPECT_EQ(g.size(), 1U);
  expect_given_up("kill", [&](deadline by) { return g.kill(by); });
  gate.set();
  EXPECT_TRUE(g.join(1min));
}

TYPED_TEST(groups, calls_end_with_their_fibers) {
  TypeParam g;
  int ended = 0;
  const auto sleeps = [&](int) {
    struct count {
      int& of;
      ~count() { ++of; }
    } const last{ended};
    this_fiber::sleep_for(1h);
    return 0;
  };
  EXPECT_TRUE(cancels([&] { g.apply(sleeps, 1); }));
  EXPECT_EQ(ended, 1);
  EXPECT_TRUE(cancels([&] { g.map(sleeps, std::vector{1, 2, 3}); }));
  EXPECT_EQ(ended, 4);
  EXPECT_TRUE(g.empty());
  EXPECT_EQ(g.apply([](int i) { return i; }, 7), 7);
}

// A cancelled read took nothing: each result comes once.
TYPED_TEST(groups, results_are_given_up_and_come_all_the_same) {
  TypeParam g;
  event gate;
  const auto twice = [&](int i) {
    gate.wait();
    return 2 * i;
  };
  auto ordered = g.imap(twice, std::vector{1, 2, 3}, 2);
  auto unordered = g.imap_unordered(twice, std::vector{1, 2, 3});
  expect_given_up("imap", [&](deadline by) { return ordered.next(by).has_value(); });
  expect_given_up("imap_unordered", [&](deadline by) { return unordered.next(by).has_value(); });
  EXPECT_TRUE(cancels([&] {
    for (const int i : ordered) ADD_FAILURE() << i;
  }));
  EXPECT_FALSE(ordered.done() || unordered.done());
  gate.set();
  int sum = 0;
  for (const int i : ordered) sum += i;
  EXPECT_EQ(sum, 12);
  for (const int i : unordered) sum += i;
  EXPECT_EQ(sum, 24);
}

// The fiber that takes the elements waits for one: that holds up nobody who gives up.
TYPED_TEST(groups, results_of_a_range_that_waits) {
  TypeParam g;
  channel<int> numbers(0);
  {
    auto results = g.imap([](int i) { return i; }, numbers);
    expect_given_up("imap", [&](deadline by) { return results.next(by).has_value(); });
    EXPECT_TRUE(numbers.send(4, 1min));
    EXPECT_EQ(results.next(1min), 4);
    expect_given_up("imap", [&](deadline by) { return results.next(by).has_value(); });
  }
  EXPECT_FALSE(numbers.try_send(5)) << "it takes no more";
}

TEST(cancelling, room_in_a_pool) {
  event gate;
  pool p(1);
  p.spawn([&] { gate.wait(); });
  bool ran = false;
  const auto runs = [&] { ran = true; };
  const fiber other = spawn([] { this_fiber::sleep_for(1h); });
  expect_given_up("spawn", [&](deadline by) {
    if (!by.is_never()) return p.try_spawn(by, runs).has_value();
    p.spawn(runs);
    return true;
  });
  expect_given_up("add", [&](deadline by) { return p.add(other, by); });
  expect_given_up("wait_available", [&](deadline by) { return p.wait_available(by) != 0; });
  EXPECT_FALSE(p.contains(other));
  EXPECT_EQ(p.size(), 1U);
  gate.set();
  EXPECT_EQ(p.wait_available(1min), 1U);
  EXPECT_EQ(p.free_count(), 1U) << "no room was lost";
  EXPECT_FALSE(ran);
  other.kill();
}

template <class Executor>
class executors_given_up : public testing::Test {};
using executor_classes = testing::Types<fiber_executor, thread_pool>;
TYPED_TEST_SUITE(executors_given_up, executor_classes);

template <class Executor>
Executor make_one() {
  if constexpr (std::is_same_v<Executor, fiber_executor>) {
    return fiber_executor(1);
  } else {
    return thread_pool({.limit = 1});
  }
}

TYPED_TEST(executors_given_up, lose_nothing) {
  TypeParam e = make_one<TypeParam>();
  event gate;
  const auto twice = [&](int i) {
    gate.wait();
    return 2 * i;
  };
  auto ordered = e.map(twice, std::vector{1, 2, 3});
  auto unordered = e.map_unordered(twice, std::vector{1, 2, 3});
  expect_given_up("map", [&](deadline by) { return ordered.next(by).has_value(); });
  expect_given_up("map_unordered", [&](deadline by) { return unordered.next(by).has_value(); });
  expect_given_up("join", [&](deadline by) { return e.join(by); });
  EXPECT_TRUE(cancels([&] { e.apply(twice, 4); }));
  gate.set();
  int sum = 0;
  for (const int i : ordered) sum += i;
  for (const int i : unordered) sum += i;
  EXPECT_EQ(sum, 24);
  EXPECT_TRUE(e.join(1min));
}

// Who reads takes the elements of a channel: what is cancelled is the wait for one of those, with a result at hand.
TYPED_TEST(executors_given_up, by_who_waits_for_an_element) {
  TypeParam e = make_one<TypeParam>();
  const auto expect_all = [&](auto give_results) {
    channel<int> numbers(4);
    for (const int i : {1, 2}) EXPECT_TRUE(numbers.send(int(i)));
    auto results = give_results(numbers);
    EXPECT_TRUE(e.join(1min));
    EXPECT_TRUE(cancels([&] { results.next(); })) << "the second has begun, and it waits for a third";
    EXPECT_EQ(results.next(), 1);
    EXPECT_TRUE(e.join(1min));
    for (int again = 0; again < 2; ++again) {
      EXPECT_TRUE(cancels([&] { results.next(); }));
      EXPECT_FALSE(results.done());
    }
    EXPECT_TRUE(numbers.send(3));
    numbers.close();
    EXPECT_EQ(results.next(), 2);
    EXPECT_EQ(results.next(), 3);
    EXPECT_EQ(results.next(), std::nullopt);
    EXPECT_TRUE(results.done());
  };
  const auto same = [](int i) { return i; };
  expect_all([&](channel<int>& numbers) { return e.map(same, numbers, 1); });
  expect_all([&](channel<int>& numbers) { return e.map_unordered(same, numbers, 1); });
}

TEST(cancelling, this_fiber) {
  const deadline late = 1h;
  EXPECT_TRUE(cancels([&] { this_fiber::sleep_until(late); }));
  EXPECT_TRUE(cancels([&] { this_fiber::sleep_for(1h); }));
  EXPECT_TRUE(testing_support::cancels_going([] {
    for (;;) this_fiber::yield();
  }));
  EXPECT_TRUE(testing_support::cancels_going([] {
    for (;;) {
      this_fiber::shield([] { this_fiber::yield(); });
      this_fiber::interruption_point();
    }
  }));
}

}  // namespace
}  // namespace weft
