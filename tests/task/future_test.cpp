// SPDX-License-Identifier: MIT
#include "weft/future.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "plain_order.hpp"
#include "tests/core/cancelling.hpp"
#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/test_clock.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using testing_support::cancels;

template <class F>
std::error_code error_of(F&& call) {
  try {
    call();
  } catch (const std::future_error& e) {
    return e.code();
  }
  return {};
}

TEST(future, gives_the_value_once) {
  promise<std::unique_ptr<int>> p;
  future<std::unique_ptr<int>> f = p.get_future();
  EXPECT_TRUE(f.valid());
  EXPECT_FALSE(f.ready());
  EXPECT_FALSE(f.wait(0s));
  p.set_value(std::make_unique<int>(42));
  EXPECT_TRUE(f.ready());
  EXPECT_TRUE(f.wait(0s));
  EXPECT_EQ(*f.get(), 42);
  EXPECT_FALSE(f.valid());
  EXPECT_FALSE(f.ready());
}

TEST(future, void_references_and_braces) {
  promise<void> nothing;
  nothing.set_value();
  nothing.get_future().get();
  int place = 0;
  promise<int&> reference;
  reference.set_value(place);
  reference.get_future().get() = 7;
  EXPECT_EQ(place, 7);
  promise<std::vector<int>> list;
  list.set_value({1, 2, 3});
  EXPECT_EQ(list.get_future().get().size(), 3U);
}

TEST(future, throws_what_the_producer_failed_with) {
  promise<int> p;
  future<int> f = p.get_future();
  p.set_exception(std::make_exception_ptr(std::out_of_range("far")));
  EXPECT_NE(f.exception(), nullptr);
  EXPECT_THROW(f.get(), std::out_of_range);
  EXPECT_FALSE(f.valid());
}

TEST(future, a_promise_that_goes_without_a_result_is_broken) {
  future<int> f;
  {
    promise<int> p;
    f = p.get_future();
  }
  EXPECT_EQ(error_of([&] { f.get(); }), std::future_errc::broken_promise);
  // Overwritten, it goes too.
  promise<int> p;
  f = p.get_future();
  p = promise<int>();
  EXPECT_EQ(error_of([&] { f.get(); }), std::future_errc::broken_promise);
}

TEST(future, misuse_is_told_as_std_tells_it) {
  promise<int> p;
  future<int> f = p.get_future();
  EXPECT_EQ(error_of([&] { p.get_future(); }), std::future_errc::future_already_retrieved);
  p.set_value(1);
  EXPECT_EQ(error_of([&] { p.set_value(2); }), std::future_errc::promise_already_satisfied);
  EXPECT_EQ(error_of([&] { p.set_exception(std::make_exception_ptr(1)); }),
            std::future_errc::promise_already_satisfied);
  EXPECT_EQ(f.get(), 1);
  EXPECT_EQ(error_of([&] { f.get(); }), std::future_errc::no_state);
  EXPECT_EQ(error_of([&] { f.wait(); }), std::future_errc::no_state);
  EXPECT_EQ(error_of([&] { f.cancel(); }), std::future_errc::no_state);
  EXPECT_EQ(error_of([&] { std::move(f).then([](const future<int>&) {}); }), std::future_errc::no_state);
  const promise<int> other = std::move(p);
  EXPECT_EQ(error_of([&] { p.set_value(2); }), std::future_errc::no_state);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(error_of([&] { p.get_future(); }), std::future_errc::no_state);
  promise<int> null;
  null.set_exception(nullptr);
  EXPECT_EQ(error_of([&] { null.get_future().get(); }), std::future_errc::broken_promise);
  EXPECT_EQ(error_of([&] { make_exceptional_future<int>(std::exception_ptr()).get(); }),
            std::future_errc::broken_promise);
  future<int> none;
  EXPECT_FALSE(none.ready());
  EXPECT_EQ(none.exception(), nullptr);
  const shared_future<int> shared = none.share();
  EXPECT_FALSE(shared.valid() || shared.ready());
  EXPECT_EQ(error_of([&] { shared.get(); }), std::future_errc::no_state);
  EXPECT_EQ(error_of([&] { shared.then([](const shared_future<int>&) {}); }), std::future_errc::no_state);
}

TEST(future, a_value_whose_making_throws_leaves_the_promise_open) {
  struct bomb {
    bomb() = default;
    bomb(const bomb& other) : armed(other.armed) {
      if (armed) throw std::runtime_error("copied");
    }
    bool armed = false;
  };
  promise<bomb> p;
  bomb b;
  b.armed = true;
  EXPECT_THROW(p.set_value(b), std::runtime_error);
  future<bomb> f = p.get_future();
  EXPECT_FALSE(f.ready());
  b.armed = false;
  p.set_value(b);
  EXPECT_FALSE(f.get().armed);
}

TEST(future, a_fiber_waits_for_a_fiber) {
  promise<int> p;
  future<int> f = p.get_future();
  int got = 0;
  const fiber waiter = spawn([&] { got = f.get(); });
  this_fiber::yield();
  EXPECT_EQ(got, 0);
  p.set_value(3);
  waiter.join();
  EXPECT_EQ(got, 3);
}

TEST(future, a_wait_ends_at_its_deadline) {
  WEFT_TEST_CLOCK(clock);
  promise<int> p;
  future<int> f = p.get_future();
  EXPECT_FALSE(f.wait(5ms));
  EXPECT_EQ(clock.elapsed(), 5ms);
  try {
    f.get(1ms);
    FAIL();
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::timed_out);
  }
  EXPECT_TRUE(f.valid());
  p.set_value(1);
  EXPECT_EQ(f.get(), 1);
}

TEST(future, a_cancelled_get_took_nothing) {
  promise<int> p;
  future<int> f = p.get_future();
  EXPECT_TRUE(cancels([&] { f.get(); }));
  EXPECT_TRUE(cancels([&] { f.wait(); }));
  ASSERT_TRUE(f.valid());
  p.set_value(5);
  EXPECT_EQ(f.get(), 5);
}

TEST(future, a_promise_may_go_as_soon_as_the_future_is_ready) {
  for (int i = 0; i < 200; ++i) {
    auto p = std::make_unique<promise<int>>();
    future<int> f = p->get_future();
    std::thread producer([raw = p.get()] { raw->set_value(1); });
    EXPECT_EQ(f.get(), 1);
    p.reset();
    producer.join();
  }
}

TEST(future, of_producers_that_race_one_succeeds) {
  for (int round = 0; round < 50; ++round) {
    promise<int> p;
    future<int> f = p.get_future();
    std::atomic<int> accepted{0};
    std::vector<std::thread> producers;
    for (int i = 0; i < 3; ++i) {
      producers.emplace_back([&, i] {
        if (!error_of([&] { p.set_value(i); })) ++accepted;
      });
    }
    f.get();
    for (std::thread& each : producers) each.join();
    EXPECT_EQ(accepted, 1);
  }
}

TEST(shared_future, gives_the_value_to_every_asker) {
  promise<std::string> p;
  const shared_future<std::string> f = p.get_future();
  std::vector<fiber> askers;
  int right = 0;
  for (int i = 0; i < 10; ++i) {
    askers.push_back(spawn([f, &right] { right += f.get() == "x"; }));
  }
  std::thread plain([f] { EXPECT_EQ(f.get(), "x"); });
  std::thread hub([f] { spawn([f] { EXPECT_EQ(f.get(), "x"); }).join(); });
  this_fiber::yield();
  p.set_value("x");
  for (const fiber& each : askers) each.join();
  plain.join();
  hub.join();
  EXPECT_EQ(right, 10);
  EXPECT_EQ(&f.get(), &f.get()) << "the value stays where it is";
}

TEST(shared_future, throws_the_failure_every_time) {
  const shared_future<int> f = make_exceptional_future<int>(std::logic_error("no"));
  EXPECT_THROW(f.get(), std::logic_error);
  EXPECT_THROW(f.get(), std::logic_error);
  EXPECT_TRUE(f.valid());
}

TEST(shared_future, of_void_and_of_a_reference) {
  const shared_future<void> done = make_ready_future().share();
  done.get();
  int place = 1;
  promise<int&> p;
  p.set_value(place);
  const shared_future<int&> f = p.get_future();
  f.get() = 2;
  EXPECT_EQ(place, 2);
  EXPECT_EQ(error_of([] { shared_future<int>().get(); }), std::future_errc::no_state);
}

TEST(then, gets_the_future_when_it_is_ready) {
  promise<int> p;
  future<std::string> text = p.get_future().then([](future<int> f) { return std::to_string(f.get()); });
  EXPECT_FALSE(text.wait(0s));
  p.set_value(12);
  EXPECT_EQ(text.get(), "12");
}

TEST(then, of_one_that_is_ready_runs_in_a_fiber_of_its_own) {
  const auto here = this_fiber::get_id();
  bool ran = false;
  auto there = make_ready_future(1).then([&](const future<int>&) {
    ran = true;
    return this_fiber::get_id();
  });
  EXPECT_FALSE(ran) << "not on the caller's stack";
  EXPECT_NE(there.get(), here);
}

TEST(then, waits_for_a_future_that_is_returned) {
  WEFT_TEST_CLOCK(clock);
  promise<int> inner;
  future<int> f = make_ready_future().then([&](const future<void>&) { return inner.get_future(); });
  EXPECT_FALSE(f.wait(1ms));
  inner.set_value(9);
  EXPECT_EQ(f.get(), 9);
}

TEST(then, a_failure_goes_down_the_chain) {
  promise<int> p;
  auto end = p.get_future()
                 .then([](future<int> f) { return f.get() + 1; })
                 .then([](future<int> f) { return f.get() + 1; })
                 .then([](future<int> f) {
                   try {
                     return f.get();
                   } catch (const std::domain_error&) {
                     return -1;
                   }
                 });
  p.set_exception(std::make_exception_ptr(std::domain_error("d")));
  EXPECT_EQ(end.get(), -1);
  EXPECT_THROW(make_ready_future(1).then([](const future<int>&) -> int { throw 3; }).get(), int);
}

TEST(then, of_an_empty_function_and_of_one_that_gives_nothing_to_wait_for) {
  const std::function<int(future<int>)> empty;
  EXPECT_THROW(make_ready_future(1).then(empty).get(1min), std::bad_function_call);
  future<int> none = make_ready_future(1).then([](const future<int>&) { return future<int>(); });
  EXPECT_EQ(error_of([&] { none.get(1min); }), std::future_errc::no_state);
}

TEST(then, a_shared_future_has_many) {
  WEFT_NEEDS_PLAIN_ORDER();
  promise<int> p;
  const shared_future<int> f = p.get_future();
  std::vector<int> order;
  std::vector<future<void>> ends;
  for (int i = 0; i < 3; ++i) {
    ends.push_back(f.then([&order, i](const shared_future<int>& s) { order.push_back(i * s.get()); }));
  }
  p.set_value(10);
  for (auto& each : ends) each.get();
  EXPECT_EQ(order, (std::vector<int>{0, 10, 20})) << "in the order they came";
}

TEST(then, cancelled_before_the_source_is_ready_it_is_not_called) {
  promise<int> p;
  bool called = false;
  future<void> f = p.get_future().then([&](const future<int>&) { called = true; });
  EXPECT_TRUE(f.cancel());
  EXPECT_FALSE(f.cancel());
  p.set_value(1);
  EXPECT_THROW(f.get(), task_cancelled);
  this_fiber::yield();
  EXPECT_FALSE(called);
}

TEST(then, runs_on_the_hub_where_it_was_said) {
  WEFT_NEEDS_PLAIN_THREADS();
  const auto here = std::this_thread::get_id();
  promise<int> p;
  auto where = p.get_future().then([](const future<int>&) { return std::this_thread::get_id(); });
  std::thread producer([&] { p.set_value(1); });
  EXPECT_EQ(where.get(), here);
  producer.join();
  // A plain thread gets a hub, whose fibers run while it waits.
  std::thread plain([&] {
    auto mine = make_ready_future(1).then([](const future<int>&) { return std::this_thread::get_id(); });
    EXPECT_EQ(mine.get(), std::this_thread::get_id());
  });
  plain.join();
}

TEST(then, goes_with_a_promise_that_is_never_kept) {
  auto held = std::make_shared<int>(1);
  std::weak_ptr<int> watch = held;
  {
    promise<int> p;
    p.get_future().then([held = std::move(held)](const future<int>&) {});
  }
  while (!watch.expired()) this_fiber::yield();
}

TEST(cancel, is_for_tasks_alone) {
  promise<int> p;
  future<int> f = p.get_future();
  EXPECT_FALSE(f.cancel());
  p.set_value(1);
  EXPECT_FALSE(f.cancel());
  EXPECT_EQ(f.get(), 1);
}

// gevent's cases for AsyncResult, as far as they are about more than Python.
TEST(async_result, get_with_a_timeout_then_the_value) {
  WEFT_TEST_CLOCK(clock);
  promise<int> p;
  future<int> f = p.get_future();
  EXPECT_FALSE(f.wait(1ms));
  const fiber later = spawn([&] { p.set_value(1); });
  EXPECT_TRUE(f.wait(60s));
  EXPECT_EQ(f.get(), 1);
  later.join();
}

TEST(async_result, set_from_a_thread_wakes_the_hub) {
  for (int i = 0; i < 100; ++i) {
    promise<int> p;
    future<int> f = p.get_future();
    std::thread setter([&] { p.set_value(i); });
    EXPECT_EQ(f.get(), i);
    setter.join();
  }
}

TEST(async_result, waiters_of_several_threads_and_hubs) {
  promise<int> p;
  const shared_future<int> f = p.get_future();
  std::atomic<int> sum{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      sum += f.get();
      std::vector<fiber> fibers;
      for (int k = 0; k < 8; ++k) fibers.push_back(spawn([&] { sum += f.get(); }));
      for (const fiber& each : fibers) each.join();
    });
  }
  this_fiber::yield();
  p.set_value(1);
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(sum, 4 * 9);
}

}  // namespace
}  // namespace weft
