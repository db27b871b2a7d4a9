// SPDX-License-Identifier: MIT
// The fibers that spawn makes in a patched process.
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "own_process.hpp"
#include "weft/patch.hpp"
#include "weft/weft.hpp"

namespace {

using namespace std::chrono_literals;
using weft::test::in_a_process;
using weft::test::os_threads;

TEST(patch, a_fiber_has_thread_local_variables_and_a_thread_id_of_its_own) {
  in_a_process([] {
    static thread_local int mine = 0;
    ASSERT_TRUE(weft::patch::all());
    mine = 1;
    const pthread_t main = pthread_self();
    auto a = weft::spawn([&] {
      EXPECT_EQ(mine, 0);
      mine = 2;
      errno = E2BIG;
      usleep(1);
      EXPECT_EQ(mine, 2);
      EXPECT_EQ(errno, E2BIG);
      return pthread_self();
    });
    auto b = weft::spawn([&] {
      EXPECT_EQ(mine, 0);
      mine = 3;
      errno = EDOM;
      usleep(1);
      EXPECT_EQ(mine, 3);
      return pthread_self();
    });
    const pthread_t of_a = a.get(), of_b = b.get();
    EXPECT_FALSE(pthread_equal(of_a, of_b));
    EXPECT_FALSE(pthread_equal(of_a, main));
    EXPECT_EQ(mine, 1);
  });
}

TEST(patch, join_comes_behind_the_destructors_of_the_threads_variables) {
  in_a_process([] {
    static bool gone = false;
    struct mark {
      ~mark() { gone = true; }
    };
    ASSERT_TRUE(weft::patch::all());
    weft::spawn([] {
      static thread_local mark made;
      static_cast<void>(made);
    }).get();
    EXPECT_TRUE(gone);
  });
}

TEST(patch, a_fiber_is_named_and_numbered_as_its_handle_says) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    auto t = weft::spawn({.name = "weaver"}, [] {
      char name[16] = {};
      EXPECT_EQ(pthread_getname_np(pthread_self(), name, sizeof name), 0);
      EXPECT_STREQ(name, "weaver");
      return weft::this_fiber::get_id();
    });
    const std::uint64_t id = t.get_id();
    EXPECT_EQ(t.get(), id);
    EXPECT_EQ(t.name(), "weaver");
  });
}

TEST(patch, a_fiber_has_at_least_the_stack_it_asks_for) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    for (const std::size_t size : {std::size_t{1}, std::size_t{64} << 10, std::size_t{4} << 20}) {
      auto used = weft::spawn({.stack_size = size}, [size] {
        volatile char* const deep = static_cast<volatile char*>(__builtin_alloca(size));
        for (std::size_t i = 0; i < size; i += 4096) deep[i] = 1;
        return deep[0];
      });
      EXPECT_EQ(used.get(), 1);
    }
    try {
      weft::spawn({.stack_size = ~std::size_t{0}}, [] {});
      ADD_FAILURE();
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), std::errc::invalid_argument);
    }
  });
}

TEST(patch, a_fiber_knows_itself) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    weft::task<> t;
    t = weft::spawn([&] {
      EXPECT_FALSE(t.join());
      EXPECT_THROW(t.get(), std::system_error);
      t.kill();
      ADD_FAILURE();
    });
    EXPECT_THROW(t.get(), weft::task_cancelled);
    EXPECT_NE(weft::this_fiber::get_id(), 0U);
    EXPECT_NE(weft::this_fiber::get_id(), t.get_id());
  });
}

TEST(patch, a_scope_knows_which_of_its_fibers_failed) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    weft::scope s;
    EXPECT_THROW(s.run([&] {
      s.spawn([] { sleep(3600); });
      s.spawn([] { throw std::out_of_range("first"); });
    }),
                 std::out_of_range);
    EXPECT_EQ(s.failures().size(), 1U);
  });
}

TEST(patch, results_failures_and_kills_are_those_of_light_fibers) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    auto fails = weft::spawn([]() -> int { throw std::out_of_range("far"); });
    EXPECT_THROW(fails.get(), std::out_of_range);
    bool unwound = false;
    weft::event never;
    auto waits = weft::spawn([&] {
      struct note {
        bool& at;
        ~note() { at = true; }
      } const last{unwound};
      never.wait();
    });
    weft::this_fiber::yield();
    EXPECT_TRUE(waits.kill());
    EXPECT_TRUE(unwound);
    EXPECT_TRUE(waits.successful());
    EXPECT_THROW(waits.get(), weft::task_cancelled);

    bool ran = false;
    auto unstarted = weft::spawn([&] { ran = true; });
    EXPECT_TRUE(unstarted.kill());
    auto later = weft::spawn({.start = weft::deadline(1h)}, [&] { ran = true; });
    weft::this_fiber::yield();
    EXPECT_TRUE(later.kill(std::make_exception_ptr(std::domain_error("no"))));
    EXPECT_THROW(later.get(), std::domain_error);
    EXPECT_FALSE(ran);
    auto soon = weft::spawn({.start = weft::deadline(1ms)}, [&] { ran = true; });
    soon.get();
    EXPECT_TRUE(ran);
  });
}

// Each is called once the fiber is killed, waits, and must fail.
template <class F>
void expect_cancelled(F call) {
  bool failed = false;
  auto t = weft::spawn([&] {
    const int result = call();
    const int error = errno;
    EXPECT_EQ(result, -1);
    EXPECT_EQ(error, ECANCELED);
    EXPECT_EQ(call(), -1);  // and again, until it is thrown
    failed = true;
    weft::this_fiber::interruption_point();
    ADD_FAILURE();
  });
  weft::this_fiber::yield();
  EXPECT_TRUE(t.kill());
  EXPECT_TRUE(failed);
}

TEST(patch, a_kill_ends_calls_that_wait) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    char c;
    expect_cancelled([&] { return static_cast<int>(read(ends[0], &c, 1)); });
    expect_cancelled([&] { return static_cast<int>(recv(ends[0], &c, 1, 0)); });
    pollfd ready{ends[0], POLLIN, 0};
    expect_cancelled([&] { return poll(&ready, 1, -1); });
    expect_cancelled([] { return poll(nullptr, 0, 3'600'000); });
    expect_cancelled([] {
      const timespec hour{3600, 0};
      return nanosleep(&hour, nullptr);
    });
    const pid_t child = fork();
    if (child == 0) {
      pause();
      _exit(0);
    }
    expect_cancelled([&] { return waitpid(child, nullptr, 0); });
    kill(child, SIGKILL);
    EXPECT_EQ(waitpid(child, nullptr, 0), child);
  });
}

TEST(patch, a_lock_is_waited_for_in_spite_of_a_kill) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    std::mutex lock;
    lock.lock();
    bool got = false;
    auto t = weft::spawn([&] {
      lock.lock();
      got = true;
      lock.unlock();
    });
    weft::this_fiber::yield();
    t.request_kill();
    weft::this_fiber::yield();
    EXPECT_FALSE(got);
    lock.unlock();
    t.join();
    EXPECT_TRUE(got);
  });
}

TEST(patch, a_timeout_ends_a_call_and_a_shield_keeps_it) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    const auto sleep = [](std::chrono::nanoseconds time) {
      const timespec t{time / 1s, time % 1s / 1ns};
      return nanosleep(&t, nullptr);
    };
    EXPECT_EQ(weft::with_timeout(
                  1ms,
                  [&] {
                    EXPECT_EQ(sleep(1h), -1);
                    EXPECT_EQ(errno, ECANCELED);
                    weft::this_fiber::interruption_point();
                    return 1;
                  },
                  2),
              2);
    EXPECT_EQ(weft::with_timeout(
                  1ms,
                  [&] {
                    const weft::shield until_done;
                    EXPECT_EQ(sleep(5ms), 0);
                    return 1;
                  },
                  2),
              1);
  });
}

TEST(patch, locals_and_contexts_belong_to_the_fiber) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    static weft::local<int> mine;
    *mine = 7;
    auto a = weft::spawn([] {
      *mine = 8;
      weft::this_fiber::yield();
      return *mine;
    });
    EXPECT_EQ(a.get(), 8);
    EXPECT_EQ(*mine, 7);
  });
}

TEST(patch, a_run_on_several_hubs_has_thread_fibers_on_each) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    static thread_local int mine = 0;
    weft::run({.hubs = 2}, [] {
      EXPECT_EQ(weft::hubs().size(), 2U);
      std::vector<weft::task<>> tasks;
      for (const weft::hub on : weft::hubs()) {
        for (int i = 0; i < 3; ++i) {
          tasks.push_back(weft::spawn({.on = on}, [on] {
            EXPECT_TRUE(weft::hub::current() == on);
            EXPECT_EQ(++mine, 1);
            usleep(100);
            EXPECT_EQ(mine, 1);
          }));
        }
      }
      for (auto& t : tasks) t.get();
    });
    EXPECT_EQ(os_threads(), 2U);
  });
}

TEST(patch, light_fibers_are_to_be_had) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    static thread_local int shared = 0;
    auto light = [] { return weft::spawn({.weight = weft::fiber_weight::light}, [] { return ++shared; }); };
    EXPECT_EQ(light().get(), 1);
    EXPECT_EQ(light().get(), 2);
    EXPECT_EQ(shared, 0);  // it is the hub's that they share
    auto from_light = weft::spawn({.weight = weft::fiber_weight::light},
                                  [] { weft::spawn({.weight = weft::fiber_weight::thread}, [] {}).get(); });
    EXPECT_THROW(from_light.get(), std::system_error);
  });
}

TEST(patch, links_and_continuations_run) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    weft::event linked;
    auto t = weft::spawn([] { usleep(1); });
    t.link([&](const weft::fiber&) { linked.set(); });
    linked.wait();
    weft::promise<int> p;
    auto doubled = p.get_future().then([](weft::future<int> f) { return 2 * f.get(); });
    weft::spawn([&] { p.set_value(21); });
    EXPECT_EQ(doubled.get(), 42);
  });
}

TEST(patch, links_and_continuations_run_in_light_fibers_whose_calls_block_the_hub) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    const auto is_light = [] {
      int turns = 0;
      const auto other = weft::spawn([&] { ++turns; });
      usleep(1000);
      EXPECT_EQ(turns, 0) << "it blocked them all";
      EXPECT_THROW(weft::spawn({.weight = weft::fiber_weight::thread}, [] {}), std::system_error);
      other.join();
      return turns == 1;
    };
    weft::promise<int> p;
    auto light = p.get_future().then([&](const weft::future<int>&) { return is_light(); });
    p.set_value(1);
    EXPECT_TRUE(light.get());
    bool linked = false;
    weft::event over;
    weft::spawn([] {}).link([&](const weft::fiber&) {
      linked = is_light();
      over.set();
    });
    over.wait();
    EXPECT_TRUE(linked);
    bool watched = false;
    over.clear();
    weft::timer_watcher once(1ms, 0ms, [&] {
      watched = is_light();
      over.set();
    });
    once.start();
    over.wait();
    EXPECT_TRUE(watched);
  });
}

std::atomic<int> caught{0};

// What the child of a light fiber can count on: fibers, threads of the kernel's, signals, and children of its own.
void live_alone() {
  EXPECT_THROW(weft::spawn({.weight = weft::fiber_weight::thread}, [] {}), std::system_error);
  EXPECT_FALSE(weft::patch::is_patched());
  weft::this_fiber::sleep_for(1ms);
  int turns = 0;
  weft::spawn([&] { ++turns; }).get();
  std::thread([&] {
    usleep(1);
    ++turns;
    weft::spawn([&] { ++turns; }).get();
  }).join();
  EXPECT_EQ(turns, 3);
  EXPECT_NE(signal(SIGUSR2, [](int) { ++caught; }), SIG_ERR);
  EXPECT_EQ(raise(SIGUSR1) + raise(SIGUSR2), 0);
  EXPECT_EQ(caught, 2);
}

TEST(patch, a_child_of_a_light_fiber_goes_on_in_it_without_the_patch) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    EXPECT_NE(signal(SIGUSR1, [](int) { ++caught; }), SIG_ERR);
    std::mutex lock;
    lock.lock();
    auto waits = weft::spawn([&] { const std::lock_guard guard(lock); });  // on a word that the child inherits
    weft::this_fiber::yield();
    weft::spawn({.weight = weft::fiber_weight::light}, [&] {
      in_a_process([&] {
        lock.unlock();
        live_alone();
        caught = 0;
        in_a_process(live_alone);
      });
    }).get();
    EXPECT_TRUE(weft::patch::is_patched());
    EXPECT_EQ(caught, 0);
    raise(SIGUSR1);
    EXPECT_EQ(caught, 1);
    lock.unlock();
    waits.get();
  });
}

TEST(patch, a_child_of_a_spawned_fiber_ends_with_it) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    auto forks = weft::spawn([] {
      const pid_t child = fork();
      if (child == 0) return 0;  // exits with 0, as the last thread of a process does
      int status = -1;
      EXPECT_EQ(waitpid(child, &status, 0), child);
      return status;
    });
    EXPECT_EQ(forks.get(), 0);
  });
}

}  // namespace
