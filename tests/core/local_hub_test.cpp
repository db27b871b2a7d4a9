// SPDX-License-Identifier: MIT
#include "core/local_hub.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <future>
#include <latch>
#include <set>
#include <system_error>
#include <thread>
#include <vector>

#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "tests/plain_threads.hpp"
#include "weft/event.hpp"
#include "weft/fiber.hpp"
#include "weft/run.hpp"
#include "weft/task.hpp"
#include "weft/this_fiber.hpp"

using namespace std::chrono_literals;

namespace weft::core {
namespace {

void in_thread(const auto& body) { std::jthread{body}; }

class local_hubs : public testing::Test {
 protected:
  void SetUp() override { WEFT_NEEDS_PLAIN_THREADS(); }
};

TEST_F(local_hubs, goes_to_the_next_thread_when_its_own_has_ended) {
  hub* first = nullptr;
  in_thread([&] { first = &local_hub(); });
  EXPECT_EQ(first->kernel_tid, 0);
  for (unsigned i = 0; i < 2 * max_hubs; ++i) {
    in_thread([&] {
      EXPECT_EQ(&local_hub(), first);
      EXPECT_EQ(first->kernel_tid, gettid());
      int ran = 0;
      weft::run({.hubs = 1}, [&] {
        spawn([&] { ++ran; }).join();
        this_fiber::sleep_for(10us);
        this_fiber::yield();
      });
      EXPECT_EQ(ran, 1);
      EXPECT_EQ(first->live, 1U);
    });
  }
  EXPECT_LT(hub_count, max_hubs);
}

TEST_F(local_hubs, is_of_one_living_thread) {
  std::latch all(8);
  hub* of[8] = {};
  {
    std::vector<std::jthread> threads;
    for (hub*& mine : of) {
      threads.emplace_back([&] {
        mine = &local_hub();
        all.arrive_and_wait();
      });
    }
  }
  EXPECT_EQ(std::set<hub*>(std::begin(of), std::end(of)).size(), 8U);
}

// A fiber that has begun may hold addresses of its thread's storage: nobody else goes on with it.
TEST_F(local_hubs, fibers_that_a_thread_leaves_are_lost_and_its_hub_is_not) {
  static event never_set;
  hub* left = nullptr;
  weft::task<> waiting, sleeping, idle, delayed, unbegun;
  int begun = 0;
  in_thread([&] {
    left = &local_hub();
    waiting = spawn([&] { ++begun, never_set.wait(), ++begun; });
    sleeping = spawn([&] { ++begun, this_fiber::sleep_for(1h); });
    idle = spawn([&] { ++begun, this_fiber::idle(), ++begun; });
    delayed = spawn({.start = 1h}, [&] { ++begun; });
    while (begun < 3) this_fiber::yield();
    unbegun = spawn([&] { ++begun; });
  });
  EXPECT_EQ(left->live, 0U);
  EXPECT_EQ(left->load, 0U);
  EXPECT_EQ(left->unbegun, 0U);
  EXPECT_EQ(left->deadlines.count(), 0U);
  EXPECT_EQ(left->awaited, 0U);
  for (weft::task<>* t : {&waiting, &sleeping, &idle, &delayed, &unbegun}) {
    EXPECT_TRUE(t->join());
    EXPECT_THROW(t->get(), weft::task_cancelled);
  }
  in_thread([&] {
    EXPECT_EQ(&local_hub(), left);
    never_set.set();
    waiting.request_kill();
    this_fiber::sleep_for(1ms);
    EXPECT_EQ(begun, 3);
    EXPECT_EQ(left->live, 1U);
  });
}

TEST_F(local_hubs, who_joins_a_fiber_that_is_lost_later_goes_on) {
  static event never_set;
  weft::task<> lost;
  std::promise<void> there, end;
  std::jthread owner([&] {
    lost = spawn([] { never_set.wait(); });
    this_fiber::yield();
    there.set_value();
    end.get_future().wait();
  });
  there.get_future().wait();
  const weft::fiber joiner = spawn([&] { EXPECT_TRUE(lost.join()); });
  this_fiber::yield();
  EXPECT_FALSE(joiner.ready());
  end.set_value();
  EXPECT_TRUE(joiner.join());
}

TEST_F(local_hubs, any_number_of_threads_may_leave_fibers) {
  static event never_set;
  for (unsigned i = 0; i < 2 * max_hubs; ++i) {
    in_thread([&] {
      spawn([] { never_set.wait(); });
      this_fiber::yield();
    });
  }
  EXPECT_LT(hub_count, max_hubs);
}

TEST_F(local_hubs, what_was_posted_to_it_meanwhile_runs_on_the_next_thread) {
  hub* first = nullptr;
  in_thread([&] { first = &local_hub(); });
  std::atomic<int> ran_on{0};
  const weft::fiber posted = spawn({.on = weft::hub(first)}, [&] { ran_on = gettid(); });
  EXPECT_FALSE(posted.ready());
  in_thread([&] {
    ASSERT_EQ(&local_hub(), first);
    posted.join();
    EXPECT_EQ(ran_on, gettid());
  });
}

// A waker of the ended thread's own fiber, whose block the next thread has.
TEST_F(local_hubs, a_late_wake_does_not_reach_the_next_thread) {
  waker late{};
  in_thread([&] {
    local_hub();
    late = prepare_park();
    unpark(late, 5);
    EXPECT_EQ(park(late, timers::never, wait_kind::object, nullptr), 5);
  });
  in_thread([&] {
    local_hub();
    const waker mine = prepare_park();
    EXPECT_EQ(mine.target, late.target);
    std::jthread([&] { unpark(late, 6); }).join();
    std::jthread([&] { unpark(mine, 7); }).join();
    EXPECT_EQ(park(mine, timers::never, wait_kind::object, nullptr), 7);
  });
}

TEST_F(local_hubs, of_a_forks_child_is_its_own) {
  in_thread([] { local_hub(); });
  const pid_t child = fork();
  if (child == 0) _exit(spawn([] { return 7; }).get());
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

// Last: nothing gives these hubs back.
TEST_F(local_hubs, there_are_so_many_and_no_more) {
  std::atomic<int> refused{0};
  std::latch all(max_hubs + 1);
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i <= max_hubs; ++i) {
    threads.emplace_back([&] {
      try {
        local_hub();
      } catch (const std::system_error& e) {
        EXPECT_EQ(e.code().value(), EAGAIN);
        EXPECT_THAT(e.what(), testing::HasSubstr("64 threads have a hub"));
        ++refused;
      }
      all.arrive_and_wait();
    });
  }
  threads.clear();
  EXPECT_GE(refused, 1);
}

}  // namespace
}  // namespace weft::core
