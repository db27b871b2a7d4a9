// SPDX-License-Identifier: MIT
// What is patched, by whom and when. Each test patches a process of its own.
#include "weft/patch.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "own_process.hpp"
#include "weft/weft.hpp"

namespace {

using namespace std::chrono_literals;
using weft::test::in_a_process;
using weft::test::os_threads;

TEST(patch, sleeps_of_libc_overlap) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    int sleeping = 0;
    std::vector<weft::task<>> tasks;
    // Were they not to overlap, the first would sleep for ever.
    for (int i = 0; i < 4; ++i) {
      tasks.push_back(weft::spawn([&sleeping] {
        ++sleeping;
        while (sleeping < 4) usleep(1000);
      }));
    }
    for (auto& t : tasks) t.get();
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
    std::chrono::steady_clock::time_point turn;
    auto early = weft::spawn([&] { turn = std::chrono::steady_clock::now(); });
    const auto begin = std::chrono::steady_clock::now();
    usleep(5000);
    early.get();
    EXPECT_GE(turn - begin, std::chrono::microseconds(5000)) << "the hub was held up";
    ASSERT_TRUE(weft::patch::all());
    EXPECT_TRUE(weft::patch::is_patched("all"));
    auto other = weft::spawn([&] { ++turns; });
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

TEST(patch, a_main_that_has_waited_is_refused) {
  in_a_process([] {
    weft::this_fiber::sleep_for(1us);
    EXPECT_THAT(refusal(), testing::HasSubstr("main has waited"));
    EXPECT_FALSE(weft::patch::is_patched());
  });
}

TEST(patch, text_that_may_not_be_changed_is_left) {
  in_a_process([] {
    ASSERT_FALSE(weft::patch::is_patched("socket"));
    constexpr int set_mdwe = 65, refuse_exec_gain = 1;  // linux/prctl.h, since 6.3: as systemd's MemoryDenyWriteExecute
    if (prctl(set_mdwe, refuse_exec_gain, 0, 0, 0) != 0) return;
    try {
      weft::patch::all();
      ADD_FAILURE();
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), std::errc::operation_not_permitted);
      EXPECT_THAT(e.what(), testing::HasSubstr("text"));
    }
    EXPECT_FALSE(weft::patch::is_patched());
    EXPECT_EQ(weft::spawn([] { return 5; }).get(), 5);
    std::thread([] { EXPECT_FALSE(weft::patch::is_patched()); }).join();
    EXPECT_EQ(usleep(1), 0);
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

TEST(patch, a_child_of_fork_goes_on_patched) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    weft::spawn([] { usleep(1); }).get();
    in_a_process([] {
      EXPECT_TRUE(weft::patch::is_patched("all"));
      int turns = 0;
      auto other = weft::spawn([&] { ++turns; });
      usleep(1);
      EXPECT_EQ(turns, 1);
      other.get();
      EXPECT_EQ(os_threads(), 1U);
    });
    in_a_process([] { ASSERT_TRUE(weft::patch::all()); });
    EXPECT_TRUE(weft::patch::is_patched());
  });
}

}  // namespace
