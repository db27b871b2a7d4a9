// SPDX-License-Identifier: MIT
// fiber::kill, and what it does to functions that take a std::stop_token.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <vector>

#include "tests/core/turnstile.hpp"
#include "tests/plain_threads.hpp"
#include "weft/cancel_on_stop.hpp"
#include "weft/cancelled.hpp"
#include "weft/fiber.hpp"
#include "weft/test_clock.hpp"
#include "weft/wait.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

TEST(kill, unwinds_a_fiber_that_waits_and_returns_when_it_has_ended) {
  int unwound = 0;
  struct guard {
    int& count;
    ~guard() { ++count; }
  };
  const task<> t = spawn([&] {
    const guard g{unwound};
    this_fiber::sleep_for(1h);
  });
  this_fiber::yield();
  EXPECT_TRUE(t.kill());
  EXPECT_EQ(unwound, 1);
  EXPECT_TRUE(t.ready());
  EXPECT_TRUE(t.successful()) << "it was asked to leave, and did";
  EXPECT_EQ(t.exception(), nullptr);
  EXPECT_THROW(t.get(), task_cancelled);
  EXPECT_TRUE(t.kill()) << "again";
}

TEST(kill, a_fiber_that_has_not_begun_never_runs) {
  bool ran = false;
  int links = 0;
  auto shared = std::make_shared<int>();
  const task<> t = spawn([&, shared] { ran = true; });
  t.link([&](const fiber&) { ++links; });
  EXPECT_TRUE(t.kill());
  EXPECT_FALSE(ran);
  EXPECT_EQ(shared.use_count(), 1) << "the closure is destroyed";
  this_fiber::yield();
  EXPECT_EQ(links, 1);
  const task<> later = spawn_after(1h, [&] { ran = true; });
  EXPECT_TRUE(later.kill(std::make_exception_ptr(std::runtime_error("not needed"))));
  EXPECT_FALSE(ran);
  EXPECT_THROW(later.get(), std::runtime_error);
  EXPECT_FALSE(later.successful());
}

TEST(kill, with_an_exception_of_choice) {
  const task<int> t = spawn([]() -> int {
    this_fiber::sleep_for(1h);
    return 1;
  });
  this_fiber::yield();
  EXPECT_TRUE(t.kill(std::make_exception_ptr(std::out_of_range("far"))));
  EXPECT_THROW(t.get(), std::out_of_range);
  EXPECT_FALSE(t.successful());
}

TEST(kill, does_nothing_to_a_fiber_that_has_ended) {
  const task<int> t = spawn([] { return 5; });
  t.join();
  EXPECT_TRUE(t.kill());
  EXPECT_EQ(t.get(), 5);
  EXPECT_FALSE(fiber().kill());
}

TEST(kill, without_waiting_and_the_first_of_several_counts) {
  const task<> t = spawn([] { this_fiber::sleep_for(1h); });
  this_fiber::yield();
  t.request_kill(std::make_exception_ptr(1));
  t.request_kill();
  EXPECT_FALSE(t.ready());
  EXPECT_TRUE(t.join());
  EXPECT_THROW(t.get(), int);
}

TEST(kill, a_fiber_may_catch_it_and_go_on_and_be_killed_again) {
  WEFT_TEST_CLOCK(clock);
  int caught = 0;
  const task<int> t = spawn([&] {
    for (;;) {
      try {
        this_fiber::sleep_for(1h);
      } catch (const cancelled&) {
        if (++caught == 3) return caught;
      }
    }
  });
  this_fiber::yield();
  EXPECT_FALSE(t.kill(1ms)) << "it did not end";
  EXPECT_FALSE(t.kill(1ms));
  EXPECT_TRUE(t.kill());
  EXPECT_EQ(t.get(), 3);
}

TEST(kill, oneself_throws_at_once) {
  task<> me;
  bool beyond = false;
  me = spawn([&] {
    me.kill();
    beyond = true;
  });
  EXPECT_TRUE(me.join());
  EXPECT_FALSE(beyond);
  EXPECT_THROW(me.get(), task_cancelled);
}

TEST(kill, waits_behind_a_shield) {
  WEFT_TEST_CLOCK(clock);
  turnstile gate;
  bool whole = false;
  const task<> t = spawn([&] {
    this_fiber::shield([&] {
      gate.acquire();
      whole = true;
    });
    this_fiber::interruption_point();
    ADD_FAILURE() << "not reached";
  });
  this_fiber::yield();
  EXPECT_FALSE(t.kill(1ms));
  EXPECT_FALSE(whole);
  gate.release();
  EXPECT_TRUE(t.join());
  EXPECT_TRUE(whole);
}

TEST(kill, an_interruption_point_throws_without_waiting) {
  const task<int> t = spawn([] {
    for (int i = 0;; ++i) {
      if (i == 10) this_fiber::yield();  // lets the killer come
      this_fiber::interruption_point();
      if (i > 10) return i;
    }
  });
  this_fiber::yield();
  t.request_kill();
  EXPECT_THROW(t.get(), task_cancelled);
}

TEST(kill, from_other_threads_ends_all_and_each_once) {
  constexpr int fibers = 200;
  std::atomic<int> unwound{0};
  std::vector<task<>> all;
  for (int i = 0; i < fibers; ++i) {
    all.push_back(spawn([&unwound, i] {
      try {
        for (;;) {
          if (i % 3 == 0) this_fiber::yield();
          if (i % 3 != 0) this_fiber::sleep_for(i % 3 == 1 ? 1h : 10us);
        }
      } catch (const cancelled&) {
        ++unwound;
        throw;
      }
    }));
  }
  this_fiber::yield();
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      for (const task<>& f : all) f.request_kill();
      EXPECT_TRUE(join_all(all));
    });
  }
  EXPECT_TRUE(kill_all(all));
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(unwound, fibers);
}

TEST(kill, races_with_the_end_of_the_fiber) {
  for (int i = 0; i < 300; ++i) {
    const task<> t = spawn([] { this_fiber::yield(); });
    std::thread other([&] { EXPECT_TRUE(t.kill(std::make_exception_ptr(1)) || t.ready()); });
    t.join();
    other.join();
    (void)t.exception();
  }
}

TEST(stop_token, a_function_that_takes_one_gets_one_that_kill_triggers) {
  std::atomic<bool> seen{false};
  const task<> t = spawn([&](const std::stop_token& stop) {
    const std::stop_callback note(stop, [&] { seen = true; });
    EXPECT_FALSE(stop.stop_requested());
    try {
      this_fiber::sleep_for(1h);
    } catch (const cancelled&) {
      EXPECT_TRUE(stop.stop_requested());
      throw;
    }
  });
  this_fiber::yield();
  EXPECT_FALSE(seen);
  EXPECT_TRUE(t.kill());
  EXPECT_TRUE(seen);
  EXPECT_EQ(spawn([](const std::stop_token&, int a) { return a; }, 3).get(), 3) << "with arguments behind it";
}

TEST(stop_token, ends_a_computation_that_never_waits) {
  WEFT_NEEDS_PLAIN_THREADS();
  std::atomic<bool> runs{false};
  const task<int> t = spawn([&](const std::stop_token& stop) {
    runs = true;
    int rounds = 0;
    while (!stop.stop_requested()) ++rounds;
    return rounds;
  });
  std::thread other([&] {
    while (!runs) std::this_thread::yield();
    t.request_kill();
  });
  EXPECT_GE(t.get(), 0) << "it left by itself, with a value";
  other.join();
}

TEST(stop_token, a_foreign_one_is_tied_to_a_block) {
  std::stop_source source;
  bool caught = false;
  const task<> t = spawn([&] {
    try {
      const cancel_on_stop tied(source.get_token());
      this_fiber::sleep_for(1h);
    } catch (const cancelled&) {
      caught = true;
    }
    this_fiber::yield();  // nothing more is due
  });
  this_fiber::yield();
  std::thread([&] { source.request_stop(); }).join();
  t.get();
  EXPECT_TRUE(caught);
}

TEST(stop_token, a_stop_before_the_block_counts_and_one_behind_it_does_not) {
  std::stop_source source;
  { const cancel_on_stop tied(source.get_token()); }
  source.request_stop();
  this_fiber::yield();
  const cancel_on_stop tied(source.get_token());
  EXPECT_THROW(this_fiber::yield(), cancelled);
  this_fiber::yield();
}

}  // namespace
}  // namespace weft
