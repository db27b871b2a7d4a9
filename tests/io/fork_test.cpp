// SPDX-License-Identifier: MIT
#include "weft/fork.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "tests/plain_threads.hpp"
#include "weft/channel.hpp"
#include "weft/detail/cancel_record.hpp"
#include "weft/fiber.hpp"
#include "weft/io.hpp"
#include "weft/mutex.hpp"
#include "weft/readiness.hpp"
#include "weft/semaphore.hpp"
#include "weft/shared_mutex.hpp"
#include "weft/shield.hpp"
#include "weft/task.hpp"
#include "weft/test_clock.hpp"
#include "weft/wait.hpp"

namespace weft {
namespace {

using namespace std::chrono_literals;

// What @p body returns in a fork's child, by its exit status. The child ends at once, without destructors.
template <class F>
int in_child(F body) {
  const pid_t child = ::fork();
  if (child == 0) _exit(body());
  int status = 0;
  const shield from_the_callers_deadlines;  // under the patch they would end the wait
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << status;
  return WEXITSTATUS(status);
}

TEST(forking, the_child_of_the_main_fiber_spawns_sleeps_and_joins) {
  WEFT_TEST_CLOCK(clock);
  this_fiber::yield();
  EXPECT_EQ(in_child([] {
              int sum = 0;
              const fiber f = spawn([&] {
                this_fiber::sleep_for(1h);
                sum = 7;
              });
              f.join();
              return sum;
            }),
            7);
}

TEST(forking, others_do_not_run_in_the_child) {
  WEFT_TEST_CLOCK(clock);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const auto note = [&](char c) { EXPECT_EQ(write(ends[1], &c, 1), 1); };
  const fiber sleeper = spawn([&] {
    this_fiber::sleep_for(1h);
    note('s');
  });
  this_fiber::yield();  // it sleeps now
  const fiber unstarted = spawn([&] { note('u'); });
  EXPECT_EQ(in_child([&] {
              for (int i = 0; i < 100; ++i) this_fiber::yield();
              this_fiber::sleep_for(2h);
              const bool joined = sleeper.join() || unstarted.join();
              note('c');
              return joined ? 1 : 0;
            }),
            0);
  sleeper.join();
  unstarted.join();
  ::close(ends[1]);
  std::string seen;
  char c;
  while (read(ends[0], &c, 1) == 1) seen += c;
  ::close(ends[0]);
  std::sort(seen.begin(), seen.end());  // under the patch the parent's others run while it waits for the child
  EXPECT_EQ(seen, "csu");
}

TEST(forking, a_fiber_goes_on_in_the_child_with_its_number_and_its_end_ends_the_process) {
  WEFT_TEST_CLOCK(clock);
  int status = -1;
  const fiber f = spawn([&] {
    const auto id = this_fiber::get_id();
    const pid_t child = ::fork();
    if (child == 0) {
      this_fiber::sleep_for(1h);
      if (this_fiber::get_id() != id) _exit(1);
      std::atexit([] { _exit(9); });  // exit was called; before the leak check, which misses what the others own
      return;                         // here: the end of the only fiber that there is
    }
    EXPECT_EQ(waitpid(child, &status, 0), child);
  });
  EXPECT_TRUE(f.join());
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 9) << status;
}

TEST(forking, a_deadline_that_cancels_the_fiber_does_so_in_the_child) {
  WEFT_TEST_CLOCK(clock);
  struct expired {};
  detail::cancel_record limit([](detail::cancel_record&) { throw expired(); });
  limit.enter(1h);
  EXPECT_EQ(in_child([] {
              try {
                this_fiber::sleep_until(deadline::never());
              } catch (const expired&) {
                return 6;
              }
              return 0;
            }),
            6);
  limit.leave();
}

TEST(forking, a_descriptor_that_the_parent_waits_for_can_be_waited_for) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  int woken = 0;
  const fiber waiting = spawn([&] { woken += wait_readable(ends[0]) ? 1 : 0; });
  this_fiber::yield();
  EXPECT_EQ(in_child([&] {
              const fiber writer = spawn([&] { EXPECT_EQ(write(ends[1], "x", 1), 1); });
              return wait_readable(ends[0]) ? 3 : 0;
            }),
            3);
  EXPECT_TRUE(waiting.join());
  EXPECT_EQ(woken, 1);
  close(ends[0]);
  close(ends[1]);
}

// Whoever waits for something in the parent does not get it in the child.
TEST(forking, what_fibers_of_the_parent_wait_for_is_not_handed_over_to_them_in_the_child) {
  mutex m;
  shared_mutex shared, read;
  counting_semaphore<> units(0);
  channel<int> values(1);
  m.lock();
  shared.lock();
  read.lock_shared();
  std::vector<task<>> waiting;
  waiting.push_back(spawn([&] { const std::lock_guard guard(m); }));
  waiting.push_back(spawn([&] { const std::lock_guard guard(shared); }));
  waiting.push_back(spawn([&] { const std::lock_guard guard(read); }));
  waiting.push_back(spawn([&] { units.acquire(); }));
  waiting.push_back(spawn([&] { EXPECT_EQ(values.receive(), 7); }));
  for (int i = 0; i < 4; ++i) this_fiber::yield();
  const auto go_on = [&] {
    m.unlock();
    shared.unlock();
    read.unlock_shared();
    units.release();
    return values.send(7, 60s);
  };
  EXPECT_EQ(in_child([&] {
              if (!go_on()) return 1;
              for (int i = 0; i < 2; ++i) {  // the second time as any other
                int done = 0;
                spawn([&] {
                  if (m.try_lock_for(60s)) ++done, m.unlock();
                  if (shared.try_lock_for(60s)) ++done, shared.unlock();
                  if (read.try_lock_for(60s)) ++done, read.unlock();
                }).join();
                if (done != 3) return 2;
              }
              if (!units.acquire(60s)) return 3;
              return values.receive(60s) == 7 ? 0 : 4;
            }),
            0);
  EXPECT_TRUE(go_on());
  for (task<>& t : waiting) EXPECT_TRUE(t.join(60s));
}

TEST(forking, what_is_waited_for_as_readiness_is_so_in_the_child_too) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const auto write_one = [&] { EXPECT_EQ(write(ends[1], "x", 1), 1); };
  {
    readable in(ends[0]);
    const waitable_ref all[] = {in};
    const fiber waiting = spawn([&] { EXPECT_EQ(wait(all).size(), 1U); });
    this_fiber::yield();
    EXPECT_EQ(in_child([&] {
                if (in.ready()) return 1;
                const fiber writer = spawn(write_one);
                if (wait(all, deadline(60s)).size() != 1) return 2;
                char taken;
                if (read(ends[0], &taken, 1) != 1) return 3;
                return in.ready() ? 4 : 0;
              }),
              0);
    // The other one is only destroyed there.
    EXPECT_EQ(in_child([&] {
                in.~readable();
                return wait_readable(ends[0], 0s) ? 1 : 0;
              }),
              0);
    write_one();
    EXPECT_TRUE(waiting.join(60s));
  }
  close(ends[0]);
  close(ends[1]);
}

TEST(forking, a_child_may_fork_again) {
  WEFT_TEST_CLOCK(clock);
  this_fiber::yield();
  EXPECT_EQ(in_child([] {
              spawn([] { this_fiber::sleep_for(1h); }).join();
              return in_child([] {
                int n = 0;
                spawn([&] { n = 5; }).join();
                return n;
              });
            }),
            5);
}

TEST(forking, in_the_child_of_a_thread_without_a_hub_there_are_no_hubs) {
  WEFT_NEEDS_PLAIN_THREADS();
  this_fiber::yield();
  std::thread other([] {
    EXPECT_EQ(in_child([] {
                if (core::hub_count.load() != 0 || core::this_hub() != nullptr) return 1;
                return spawn([] {}).join() ? 0 : 2;
              }),
              0);
  });
  other.join();
}

TEST(forking, of_several_hubs_the_callers_is_left) {
  this_fiber::yield();
  std::thread other([] {
    spawn([] {}).join();
    // Under the patch there are as many hubs as at the start, without fibers.
    const auto fibers = [] {
      std::uint32_t live = 0;
      for (unsigned i = 0; i < core::hub_count.load(); ++i) live += core::hubs[i]->live;
      return static_cast<int>(live);
    };
    EXPECT_EQ(in_child([&] { return fibers() + (spawn([] {}).join() ? 0 : 100); }), 1);
  });
  other.join();
}

// One test, since the functions stay for good.
TEST(at_fork, functions_run_in_pthread_atforks_order) {
  static std::string order;
  const auto note = [](const char* what) { return [what] { order += what; }; };
  at_fork(note("p1"), note("q1"), note("c1"));
  at_fork(note("p2"), note("q2"), [] {
    spawn([] {}).join();  // the fresh hub is there
    order += "c2";
  });
  at_fork({});
  order.clear();
  EXPECT_EQ(in_child([] { return order == "p2p1c1c2" ? 0 : 1; }), 0);
  EXPECT_EQ(order, "p2p1q1q2");
}

}  // namespace
}  // namespace weft
