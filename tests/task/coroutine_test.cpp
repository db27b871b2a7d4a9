// SPDX-License-Identifier: MIT
#include "weft/coroutine.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/core/cancelling.hpp"
#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/test_clock.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using testing_support::cancels;

future<int> twice(future<int> f) { co_return 2 * co_await std::move(f); }
future<std::string> joined(shared_future<std::string> a, future<std::string> b) {
  std::string text = co_await a;
  text += co_await std::move(b);
  co_return text;
}
future<void> fails(bool before) {
  if (before) throw std::domain_error("before");
  co_await make_ready_future();
  throw std::domain_error("after");
}

// An awaitable of somebody else, that is resumed by hand.
struct event {
  std::coroutine_handle<> waiting;
  struct awaiter {
    event* e;
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> h) const { e->waiting = h; }
    int await_resume() const { return 17; }
  };
  awaiter operator co_await() { return {this}; }
};

TEST(coroutine, awaits_a_future_that_is_ready_or_not) {
  WEFT_TEST_CLOCK(clock);
  EXPECT_EQ(twice(make_ready_future(4)).get(), 8);
  promise<int> p;
  future<int> f = twice(p.get_future());
  EXPECT_FALSE(f.wait(1ms));
  p.set_value(5);
  EXPECT_EQ(f.get(), 10);
}

TEST(coroutine, awaits_several) {
  WEFT_TEST_CLOCK(clock);
  promise<std::string> a, b;
  future<std::string> f = joined(a.get_future(), b.get_future());
  b.set_value("b");
  EXPECT_FALSE(f.wait(1ms));
  a.set_value("a");
  EXPECT_EQ(f.get(), "ab");
}

TEST(coroutine, failures_pass_through) {
  EXPECT_THROW(fails(true).get(), std::domain_error);
  EXPECT_THROW(fails(false).get(), std::domain_error);
  EXPECT_THROW(twice(make_exceptional_future<int>(std::out_of_range("x"))).get(), std::out_of_range);
  EXPECT_THROW(twice(future<int>()).get(), std::exception) << "a future without a result to wait for";
}

TEST(coroutine, goes_on_in_a_fiber_so_it_may_block) {
  WEFT_TEST_CLOCK(clock);
  promise<int> p;
  auto body = [](future<int> f) -> future<std::uint64_t> {
    co_await std::move(f);
    this_fiber::sleep_for(1ms);
    co_return this_fiber::get_id();
  };
  auto f = body(p.get_future());
  p.set_value(1);
  EXPECT_NE(f.get(), this_fiber::get_id());
}

TEST(coroutine, goes_on_on_its_own_hub) {
  WEFT_NEEDS_PLAIN_THREADS();
  promise<int> p;
  auto body = [](future<int> f) -> future<std::thread::id> {
    co_await std::move(f);
    co_return std::this_thread::get_id();
  };
  auto where = body(p.get_future());
  std::thread producer([&] { p.set_value(1); });
  EXPECT_EQ(where.get(), std::this_thread::get_id());
  producer.join();
}

TEST(await, waits_for_any_awaitable) {
  EXPECT_EQ(await(twice(make_ready_future(2))), 4);
  event e;
  const fiber resumer = spawn([&] { e.waiting.resume(); });
  EXPECT_EQ(await(e), 17);
  resumer.join();
  await(std::suspend_never());
  shared_future<std::string> s = make_ready_future(std::string("s")).share();
  EXPECT_EQ(await(s), "s");
  EXPECT_EQ(await(make_ready_future(std::string("t")).share()), "t");
}

TEST(await, is_resumed_from_another_thread) {
  event e;
  std::thread other;
  const fiber starter = spawn([&] { other = std::thread([&] { e.waiting.resume(); }); });
  EXPECT_EQ(await(e), 17);
  starter.join();
  other.join();
}

TEST(await, ends_at_a_deadline_and_by_a_cancellation) {
  WEFT_TEST_CLOCK(clock);
  event e;
  EXPECT_EQ(await(e, 1ms), std::nullopt);
  e.waiting.resume();
  EXPECT_TRUE(cancels([&] { await(e); }));
  e.waiting.resume();
  EXPECT_EQ(await(make_ready_future(1), 60s), 1);
  EXPECT_TRUE(await(std::suspend_never(), 60s));
}

TEST(await, what_was_moved_in_lives_until_it_is_finished) {
  WEFT_TEST_CLOCK(clock);
  struct holder {
    event* e;
    std::shared_ptr<int> held;
    event::awaiter operator co_await() const { return {e}; }
  };
  event e;
  auto held = std::make_shared<int>(1);
  EXPECT_EQ(await(holder{&e, held}, 1ms), std::nullopt);
  EXPECT_EQ(held.use_count(), 2);
  e.waiting.resume();
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace weft
