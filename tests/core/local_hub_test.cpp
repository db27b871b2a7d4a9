// SPDX-License-Identifier: MIT
#include "core/local_hub.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <latch>
#include <set>
#include <system_error>
#include <thread>
#include <vector>

#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "weft/event.hpp"
#include "weft/fiber.hpp"
#include "weft/run.hpp"
#include "weft/this_fiber.hpp"

using namespace std::chrono_literals;

namespace weft::core {
namespace {

void in_thread(const auto& body) { std::jthread{body}; }

TEST(local_hub, goes_to_the_next_thread_when_its_own_has_ended) {
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

TEST(local_hub, is_of_one_living_thread) {
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

// A fiber that has begun may hold addresses of its thread's storage: it stays where it is, and so does the hub.
TEST(local_hub, stays_with_the_fibers_that_were_left_on_it) {
  static event never_set;
  hub* left = nullptr;
  in_thread([&] {
    left = &local_hub();
    spawn([] { never_set.wait(); });
    this_fiber::yield();
  });
  EXPECT_EQ(left->live, 1U);
  in_thread([&] { EXPECT_NE(&local_hub(), left); });
}

TEST(local_hub, what_was_posted_to_it_meanwhile_runs_on_the_next_thread) {
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
TEST(local_hub, a_late_wake_does_not_reach_the_next_thread) {
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

TEST(local_hub, of_a_forks_child_is_its_own) {
  in_thread([] { local_hub(); });
  const pid_t child = fork();
  if (child == 0) _exit(spawn([] { return 7; }).get());
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

// Last: nothing gives these hubs back.
TEST(local_hub, there_are_so_many_and_no_more) {
  static event never_set;
  bool refused = false;
  for (unsigned i = 0; i <= max_hubs && !refused; ++i) {
    in_thread([&] {
      try {
        spawn([] { never_set.wait(); });
        this_fiber::yield();
      } catch (const std::system_error& e) {
        EXPECT_EQ(e.code().value(), EAGAIN);
        refused = true;
      }
    });
  }
  EXPECT_TRUE(refused);
}

}  // namespace
}  // namespace weft::core
