// SPDX-License-Identifier: MIT
#include "weft/thread_pool.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/core/eventually.hpp"
#include "weft/fiber.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using test::eventually;

TEST(thread_pool, runs_tasks_on_other_threads_while_fibers_run) {
  thread_pool pool({.limit = 2});
  const auto here = std::this_thread::get_id();
  std::mutex m;
  std::condition_variable changed;
  bool fiber_ran = false;
  future<std::thread::id> there = pool.submit([&] {
    // It blocks its thread until a fiber of the hub has run.
    std::unique_lock lock(m);
    changed.wait(lock, [&] { return fiber_ran; });
    return std::this_thread::get_id();
  });
  const fiber f = spawn([&] {
    const std::lock_guard lock(m);
    fiber_ran = true;
    changed.notify_one();
  });
  EXPECT_NE(there.get(), here);
  f.join();
}

TEST(thread_pool, grows_on_demand_alone) {
  thread_pool pool({.limit = 4});
  EXPECT_EQ(pool.workers(), 0U);
  for (int i = 0; i < 20; ++i) {
    pool.submit([] {}).get();
    EXPECT_TRUE(eventually([&] { return pool.unfinished() == 0; }));
  }
  EXPECT_LE(pool.workers(), 2U) << "an idle thread gets the task";
  promise<void> opener;
  const shared_future<void> opened = opener.get_future();
  std::atomic<int> waiting{0};
  std::vector<future<void>> all;
  for (int i = 0; i < 6; ++i) {
    all.push_back(pool.submit([&] {
      ++waiting;
      opened.get();
    }));
  }
  EXPECT_TRUE(eventually([&] { return waiting == 4; }));
  EXPECT_EQ(pool.workers(), 4U);
  opener.set_value();
  for (auto& f : all) f.get();
}

TEST(thread_pool, shrinks_when_idle) {
  thread_pool pool({.limit = 3, .idle_time = 1ms});
  for (int round = 0; round < 3; ++round) {
    std::vector<future<void>> all;
    for (int i = 0; i < 3; ++i) all.push_back(pool.submit([] {}));
    for (auto& f : all) f.get();
    EXPECT_TRUE(eventually([&] { return pool.workers() == 0; }));
  }
}

TEST(thread_pool, without_idle_time_a_thread_ends_with_its_task) {
  thread_pool pool({.limit = 1, .idle_time = 0s});
  pool.submit([] {}).get();
  EXPECT_TRUE(eventually([&] { return pool.workers() == 0; }));
}

TEST(thread_pool, its_threads_block_signals_and_have_a_name) {
  thread_pool pool({.limit = 1, .name = "crunch"});
  EXPECT_TRUE(pool.apply([] {
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    return sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGUSR1) == 1;
  }));
  EXPECT_EQ(pool.apply([] {
    char name[32];
    pthread_getname_np(pthread_self(), name, sizeof name);
    return std::string(name);
  }),
            "crunch");
}

TEST(thread_pool, a_stack_that_the_system_refuses_is_told) {
  thread_pool pool({.limit = 1, .stack_size = 1});
  EXPECT_THROW(pool.submit([] {}), std::system_error);
  EXPECT_EQ(pool.unfinished(), 0U);
  EXPECT_EQ(pool.workers(), 0U);
  EXPECT_TRUE(pool.join());
}

TEST(thread_pool, a_task_may_use_fibers_of_its_own) {
  thread_pool pool({.limit = 2});
  EXPECT_EQ(pool.apply([] {
    int sum = 0;
    std::vector<fiber> all;
    for (int i = 0; i < 10; ++i) all.push_back(spawn([&sum, i] { sum += i; }));
    for (const fiber& f : all) f.join();
    return sum;
  }),
            45);
}

TEST(thread_pool, a_task_may_submit_tasks) {
  thread_pool pool({.limit = 2});
  future<future<int>> outer = pool.submit([&pool] { return pool.submit([] { return 3; }); });
  EXPECT_EQ(outer.get().get(), 3);
}

TEST(thread_pool, many_short_tasks_from_many_fibers) {
  thread_pool pool({.limit = 3});
  std::atomic<int> sum{0};
  std::vector<fiber> users;
  for (int i = 0; i < 50; ++i) {
    users.push_back(spawn([&] {
      for (int k = 0; k < 20; ++k) sum += pool.apply([] { return 1; });
    }));
  }
  for (const fiber& f : users) f.join();
  EXPECT_EQ(sum, 1000);
}

TEST(thread_pool, a_fork_child_has_an_empty_pool_that_works) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer allows no threads behind the fork of a program with threads";
#endif
  thread_pool pool({.limit = 2});
  promise<void> opener;
  const shared_future<void> opened = opener.get_future();
  std::atomic<int> waiting{0};
  for (int i = 0; i < 3; ++i) {
    pool.submit([&] {
      ++waiting;
      opened.get();
    });
  }
  EXPECT_TRUE(eventually([&] { return waiting == 2; }));
  const pid_t child = fork();
  if (child == 0) {
    int code = pool.unfinished() == 0 && pool.workers() == 0 ? 0 : 1;
    future<int> f = pool.submit([] { return 7; });
    while (!f.ready()) sched_yield();  // no wait: what a hub is in a child is not this test's matter
    if (f.get() != 7) code += 2;
    _exit(code);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  opener.set_value();
  EXPECT_TRUE(pool.join());
}

}  // namespace
}  // namespace weft
