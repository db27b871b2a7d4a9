// SPDX-License-Identifier: MIT
#include "weft/as_completed.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "tests/core/cancelling.hpp"
#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/test_clock.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using testing_support::cancels;

struct several {
  explicit several(std::size_t count) : promises(count) {
    for (auto& p : promises) futures.push_back(p.get_future());
  }
  std::vector<promise<int>> promises;
  std::vector<future<int>> futures;
};

TEST(as_completed, gives_each_once_in_the_order_of_completion) {
  WEFT_TEST_CLOCK(clock);
  several s(3);
  s.promises[1].set_value(1);
  as_completed coming(s.futures);
  EXPECT_EQ(coming.next(), &s.futures[1]);
  EXPECT_EQ(coming.next(1ms), nullptr);
  EXPECT_EQ(coming.left(), 2U);
  s.promises[2].set_value(2);
  s.promises[0].set_value(0);
  std::vector<int> got;
  for (auto& f : coming) got.push_back(f.get());
  EXPECT_EQ(got, (std::vector<int>{2, 0}));
  EXPECT_EQ(coming.left(), 0U);
}

TEST(as_completed, the_loop_ends_at_its_deadline) {
  WEFT_TEST_CLOCK(clock);
  several s(2);
  s.promises[0].set_value(1);
  int count = 0;
  for ([[maybe_unused]] auto& f : as_completed(s.futures, 2ms)) ++count;
  EXPECT_EQ(count, 1);
}

TEST(as_completed, leaves_no_trace_when_it_is_left) {
  several s(2);
  for (int i = 0; i < 3; ++i) {
    as_completed coming(s.futures);
    EXPECT_EQ(coming.next(0s), nullptr);
  }
  s.promises[0].set_value(1);
  EXPECT_EQ(s.futures[0].get(), 1);
}

TEST(as_completed, a_cancelled_wait_took_none) {
  several s(1);
  as_completed coming(s.futures);
  EXPECT_TRUE(cancels([&] { coming.next(); }));
  s.promises[0].set_value(1);
  EXPECT_EQ(coming.next(), &s.futures[0]);
}

TEST(as_completed, of_none_and_of_an_invalid_one) {
  std::vector<future<int>> none;
  EXPECT_EQ(as_completed(none).next(), nullptr);
  std::vector<future<int>> invalid(1);
  EXPECT_THROW((as_completed(invalid)), std::future_error);
}

TEST(as_completed, a_future_that_is_moved_from_meanwhile) {
  several s(2);
  as_completed coming(s.futures);
  future<int> taken = std::move(s.futures[0]);
  s.promises[0].set_value(1);
  EXPECT_THROW(coming.next()->get(), std::future_error);
  EXPECT_EQ(taken.get(), 1);
}

TEST(as_completed, from_several_threads) {
  several s(60);
  std::vector<std::thread> setters;
  for (std::size_t t = 0; t < 3; ++t) {
    setters.emplace_back([&s, t] {
      for (std::size_t i = t; i < 60; i += 3) s.promises[i].set_value(static_cast<int>(i));
    });
  }
  int sum = 0;
  for (auto& f : as_completed(s.futures)) sum += f.get();
  EXPECT_EQ(sum, 59 * 60 / 2);
  for (auto& t : setters) t.join();
}

TEST(wait, until_the_first_is_ready) {
  several s(3);
  const fiber setter = spawn([&] { s.promises[1].set_value(1); });
  const wait_result r = wait(s.futures, return_when::first_completed);
  EXPECT_EQ(r.done, (std::vector<std::size_t>{1}));
  EXPECT_EQ(r.not_done, (std::vector<std::size_t>{0, 2}));
  setter.join();
}

TEST(wait, until_the_first_failure) {
  several s(3);
  const fiber setter = spawn([&] {
    s.promises[0].set_value(1);
    this_fiber::yield();
    s.promises[2].set_exception(std::make_exception_ptr(1));
  });
  const wait_result r = wait(s.futures, return_when::first_exception);
  EXPECT_EQ(r.done, (std::vector<std::size_t>{0, 2}));
  setter.join();
}

TEST(wait, without_a_failure_until_all_are_ready) {
  several s(3);
  for (auto& p : s.promises) p.set_value(1);
  EXPECT_EQ(wait(s.futures, return_when::first_exception).done.size(), 3U);
  EXPECT_EQ(wait(s.futures, return_when::all_completed).not_done.size(), 0U);
}

TEST(wait, ends_at_its_deadline_and_by_a_cancellation) {
  WEFT_TEST_CLOCK(clock);
  several s(2);
  s.promises[0].set_value(1);
  EXPECT_EQ(wait(s.futures, return_when::all_completed, 1ms).not_done.size(), 1U);
  EXPECT_TRUE(cancels([&] { wait(s.futures, return_when::all_completed); }));
  std::vector<future<int>> none;
  EXPECT_TRUE(wait(none, return_when::first_completed).done.empty());
}

}  // namespace
}  // namespace weft
