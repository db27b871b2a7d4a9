// SPDX-License-Identifier: MIT
#include "weft/when.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/test_clock.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

TEST(when_all, waits_for_each) {
  WEFT_TEST_CLOCK(clock);
  promise<int> a;
  promise<std::string> b;
  auto all = when_all(a.get_future(), b.get_future());
  b.set_value("b");
  EXPECT_FALSE(all.wait(1ms));
  a.set_value(1);
  auto [first, second] = all.get();
  EXPECT_TRUE(first.ready());
  EXPECT_EQ(first.get(), 1);
  EXPECT_EQ(second.get(), "b");
}

TEST(when_all, a_failure_is_one_of_the_results) {
  std::vector<future<int>> asked;
  asked.push_back(make_ready_future(1));
  asked.push_back(make_exceptional_future<int>(std::domain_error("x")));
  std::vector<future<int>> all = when_all(std::move(asked)).get();
  EXPECT_EQ(all[0].get(), 1);
  EXPECT_THROW(all[1].get(), std::domain_error);
}

TEST(when_all, of_nothing_is_ready) {
  EXPECT_TRUE(when_all(std::vector<future<int>>()).get().empty());
  EXPECT_EQ(std::tuple_size_v<decltype(when_all().get())>, 0U);
}

TEST(when_all, shared_futures_are_copied) {
  const shared_future<int> f = make_ready_future(4).share();
  auto [copy] = when_all(f).get();
  EXPECT_EQ(copy.get() + f.get(), 8);
  std::vector<shared_future<int>> several{f, f};
  EXPECT_EQ(when_all(several).get().size(), 2U);
  EXPECT_TRUE(several[1].valid());
}

TEST(when_all, an_invalid_future_is_refused) {
  EXPECT_THROW(when_all(future<int>()), std::future_error);
  EXPECT_THROW(when_any(future<int>()), std::future_error);
  EXPECT_THROW(when_all(std::vector<future<int>>(2)), std::future_error);
  future<int> good = make_ready_future(1);
  EXPECT_THROW(when_any(std::move(good), future<int>()), std::future_error);  // NOLINT(bugprone-use-after-move)
  EXPECT_TRUE(good.valid()) << "it was not taken";                            // NOLINT(bugprone-use-after-move)
  std::vector<future<int>> both(2);
  both[0] = std::move(good);
  EXPECT_THROW(when_all(std::move(both)), std::future_error);
}

TEST(when_all, of_producers_on_other_threads) {
  for (int round = 0; round < 50; ++round) {
    std::vector<promise<int>> promises(4);
    std::vector<future<int>> asked;
    for (auto& p : promises) asked.push_back(p.get_future());
    std::vector<std::thread> producers;
    for (auto& p : promises) producers.emplace_back([&p] { p.set_value(1); });
    int sum = 0;
    for (auto& f : when_all(std::move(asked)).get()) sum += f.get();
    EXPECT_EQ(sum, 4);
    for (auto& t : producers) t.join();
  }
}

TEST(when_any, gives_the_first_and_the_others_as_they_are) {
  WEFT_TEST_CLOCK(clock);
  promise<int> a, b;
  std::vector<future<int>> asked;
  asked.push_back(a.get_future());
  asked.push_back(b.get_future());
  auto any = when_any(std::move(asked));
  EXPECT_FALSE(any.wait(1ms));
  b.set_value(2);
  auto result = any.get();
  EXPECT_EQ(result.index, 1U);
  EXPECT_FALSE(result.futures[0].ready());
  EXPECT_EQ(result.futures[1].get(), 2);
  // What was left can be waited for again.
  auto again = when_any(std::move(result.futures[0]));
  a.set_value(1);
  EXPECT_EQ(std::get<0>(again.get().futures).get(), 1);
}

TEST(when_any, of_several_that_are_ready_it_is_the_first) {
  auto result = when_any(make_ready_future(1), make_ready_future(std::string("x"))).get();
  EXPECT_EQ(result.index, 0U);
  EXPECT_TRUE(std::get<1>(result.futures).ready());
}

TEST(when_any, of_nothing_is_ready) {
  EXPECT_EQ(when_any(std::vector<future<int>>()).get().index, std::numeric_limits<std::size_t>::max());
}

TEST(when_any, a_future_that_is_asked_for_again_and_again_keeps_no_trace) {
  promise<int> slow;
  shared_future<int> f = slow.get_future();
  auto held = std::make_shared<int>(0);
  for (int i = 0; i < 100; ++i) {
    auto guard = make_ready_future(std::shared_ptr<int>(held));
    EXPECT_EQ(when_any(f, std::move(guard)).get().index, 1U);
  }
  while (held.use_count() != 1) this_fiber::yield();
  slow.set_value(1);
}

TEST(when_any, of_racing_threads_has_one_winner) {
  for (int round = 0; round < 100; ++round) {
    promise<int> a, b;
    auto any = when_any(a.get_future(), b.get_future());
    std::thread one([&] { a.set_value(0); });
    std::thread other([&] { b.set_value(1); });
    auto result = any.get();
    ASSERT_LT(result.index, 2U);
    EXPECT_TRUE(result.index == 0 ? std::get<0>(result.futures).ready() : std::get<1>(result.futures).ready());
    one.join();
    other.join();
  }
}

TEST(when, its_own_future_can_be_cancelled) {
  auto held = std::make_shared<int>(0);
  {
    promise<std::shared_ptr<int>> a;
    auto all = when_all(a.get_future());
    EXPECT_TRUE(all.cancel());
    EXPECT_THROW(all.get(), task_cancelled);
    a.set_value(held);
  }
  // What was given goes once it is ready.
  while (held.use_count() != 1) this_fiber::yield();
}

}  // namespace
}  // namespace weft
