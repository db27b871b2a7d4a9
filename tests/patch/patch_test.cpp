// SPDX-License-Identifier: MIT
// Each test patches a process of its own: a child that begins as the test begins.
#include "weft/patch.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "weft/weft.hpp"

namespace {

using namespace std::chrono_literals;

/// Runs @p body in a fork's child, which passes with all of its expectations.
void in_a_process(const std::function<void()>& body) {
  const pid_t child = fork();
  ASSERT_NE(child, -1);
  if (child == 0) {
    try {
      body();
    } catch (const std::exception& e) {
      ADD_FAILURE() << e.what();
    }
    std::fflush(nullptr);
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
}

unsigned os_threads() {
  unsigned count = 0;
  if (FILE* const f = std::fopen("/proc/self/status", "r")) {
    char line[256];
    while (std::fgets(line, sizeof line, f) != nullptr) {
      if (std::sscanf(line, "Threads: %u", &count) == 1) break;
    }
    std::fclose(f);
  }
  return count;
}

TEST(patch, sleeps_of_libc_overlap) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    std::vector<int> order;
    std::vector<weft::task<>> tasks;
    // Were they not to overlap, each would end before the next begins.
    for (int i = 0; i < 4; ++i) {
      tasks.push_back(weft::spawn([&order, i] {
        order.push_back(i);
        usleep(1000);
        order.push_back(i + 10);
      }));
    }
    for (auto& t : tasks) t.get();
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 10, 11, 12, 13}));
    EXPECT_EQ(os_threads(), 1U);
  });
}

TEST(patch, a_read_waits_for_another_fiber) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    auto reader = weft::spawn([&] {
      char text[8] = {};
      EXPECT_EQ(read(ends[0], text, sizeof text), 5);
      return std::string(text);
    });
    auto writer = weft::spawn([&] { EXPECT_EQ(write(ends[1], "hello", 5), 5); });
    EXPECT_EQ(reader.get(), "hello");
    EXPECT_TRUE(writer.join());
  });
}

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

TEST(patch, locks_and_threads_of_others_are_fibers) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    std::mutex lock;
    std::condition_variable changed;
    int turn = 0;
    std::thread other([&] {
      std::unique_lock held(lock);
      changed.wait(held, [&] { return turn == 1; });
      turn = 2;
      changed.notify_all();
    });
    auto mine = weft::spawn([&] {
      std::unique_lock held(lock);
      turn = 1;
      changed.notify_all();
      changed.wait(held, [&] { return turn == 2; });
    });
    mine.get();
    other.join();
    EXPECT_EQ(os_threads(), 1U);
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

TEST(patch, an_original_holds_the_hub_up) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    int turns = 0;
    auto other = weft::spawn([&] { ++turns; });
    const timespec moment{0, 1'000'000};
    EXPECT_EQ(weft::patch::original(::nanosleep)(&moment, nullptr), 0);
    EXPECT_EQ(weft::patch::original(::poll)(nullptr, 0, 1), 0);
    EXPECT_EQ(weft::patch::original([](int ms) { return poll(nullptr, 0, ms); })(1), 0);
    EXPECT_EQ(turns, 0);
    EXPECT_EQ(nanosleep(&moment, nullptr), 0);
    EXPECT_EQ(turns, 1);
    other.get();
    // A function with `...` and one that fails, too.
    EXPECT_EQ(weft::patch::original(::fcntl)(-1, F_GETFD), -1);
    EXPECT_EQ(errno, EBADF);
  });
}

TEST(patch, real_threads_stay_real) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    int turns = 0;
    weft::event seen;
    auto other = weft::spawn([&] {
      ++turns;
      seen.set();
    });
    // Were it a fiber, its wait for the thread's own hub could not be for this one's.
    EXPECT_EQ(weft::offload([&] {
                EXPECT_FALSE(weft::hub::current() == weft::hub());
                seen.wait();
                return os_threads();
              }),
              2U);
    EXPECT_EQ(turns, 1);
    other.get();
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

TEST(patch, a_second_call_adds_groups) {
  in_a_process([] {
    EXPECT_FALSE(weft::patch::is_patched());
    EXPECT_FALSE(weft::patch::is_patched("thread"));
    ASSERT_TRUE(weft::patch::groups("socket"));
    EXPECT_TRUE(weft::patch::is_patched());
    EXPECT_TRUE(weft::patch::is_patched("thread,signal,process,memory,socket"));
    EXPECT_FALSE(weft::patch::is_patched("time"));
    EXPECT_FALSE(weft::patch::is_patched("all"));
    int turns = 0;
    auto other = weft::spawn([&] { ++turns; });
    usleep(1);
    EXPECT_EQ(turns, 0);
    ASSERT_TRUE(weft::patch::all());
    EXPECT_TRUE(weft::patch::is_patched("all"));
    usleep(1);
    EXPECT_EQ(turns, 1);
    other.get();
    ASSERT_TRUE(weft::patch::all());
    ASSERT_TRUE(weft::patch::groups("none"));
    EXPECT_TRUE(weft::patch::is_patched("all"));
  });
}

TEST(patch, a_group_that_does_not_exist_is_named) {
  for (const auto f : {weft::patch::groups, static_cast<bool (*)(std::string_view)>(weft::patch::is_patched)}) {
    try {
      f("socket,nonsense");
      ADD_FAILURE();
    } catch (const std::invalid_argument& e) {
      EXPECT_THAT(e.what(), testing::AllOf(testing::HasSubstr("'nonsense'"), testing::HasSubstr("thread socket pipe")));
    }
  }
  EXPECT_FALSE(weft::patch::is_patched());
}

std::string refusal() {
  try {
    weft::patch::all();
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::device_or_resource_busy);
    return e.what();
  }
  return "none";
}

TEST(patch, threads_that_exist_are_named) {
  in_a_process([] {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    std::thread other([&] {
      char c;
      EXPECT_EQ(read(ends[0], &c, 1), 1);
    });
    pthread_setname_np(other.native_handle(), "early bird");
    EXPECT_THAT(refusal(), testing::HasSubstr("threads already: \"early bird\" ("));
    EXPECT_FALSE(weft::patch::is_patched());
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    other.join();
    std::thread([] { EXPECT_THAT(refusal(), testing::HasSubstr("threads already: \"patch_test\" (")); }).join();
    EXPECT_TRUE(weft::patch::all());  // they are gone
  });
}

TEST(patch, fibers_that_exist_are_named) {
  in_a_process([] {
    auto early = weft::spawn({.name = "early"}, [] {});
    EXPECT_THAT(refusal(), testing::HasSubstr("fibers already: \"early\" #"));
    early.get();
  });
}

TEST(patch, the_environment_switches_it_off) {
  in_a_process([] {
    setenv("WEFT", "0", 1);
    EXPECT_FALSE(weft::patch::all());
    EXPECT_FALSE(weft::patch::groups("time"));
    EXPECT_FALSE(weft::patch::is_patched());
    EXPECT_FALSE(weft::patch::is_patched("time"));
    EXPECT_EQ(weft::spawn([] { return 5; }).get(), 5);
    int turns = 0;
    auto other = weft::spawn([&] { ++turns; });
    EXPECT_EQ(weft::patch::original(::usleep)(1), 0);
    EXPECT_EQ(turns, 0);
    other.get();
  });
}

TEST(patch, a_child_of_fork_is_patched_again_as_it_spawns) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    weft::spawn([] { usleep(1); }).get();
    in_a_process([] {
      EXPECT_FALSE(weft::patch::is_patched());
      int turns = 0;
      auto other = weft::spawn([&] { ++turns; });
      EXPECT_TRUE(weft::patch::is_patched("all"));
      usleep(1);
      EXPECT_EQ(turns, 1);
      other.get();
      EXPECT_EQ(os_threads(), 1U);
    });
    in_a_process([] { ASSERT_TRUE(weft::patch::all()); });
    EXPECT_TRUE(weft::patch::is_patched());
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
