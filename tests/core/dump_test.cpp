// SPDX-License-Identifier: MIT
#include "core/dump.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "base/message.hpp"
#include "core/local_hub.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "tests/core/eventually.hpp"
#include "tests/plain_threads.hpp"
#include "weft/dump.hpp"
#include "weft/fiber.hpp"
#include "weft/hub_driver.hpp"
#include "weft/io.hpp"
#include "weft/run.hpp"

namespace weft::core {
namespace {

using namespace std::chrono_literals;

std::string written_to_log(const std::string& path) {
  std::ifstream in(path);
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

class dump : public testing::Test {
 protected:
  void SetUp() override {
    path = testing::TempDir() + "dump_test." + std::to_string(getpid());
    base::open_messages(path.c_str());
    local_hub();
  }
  void TearDown() override {
    base::open_messages(nullptr);
    std::remove(path.c_str());
  }
  std::string path;
};

TEST_F(dump, names_each_fiber_with_its_wait_and_its_stack_and_disturbs_nobody) {
  waker w{};
  int reason = -1;
  fiber_attributes attributes;
  attributes.name = "patient";
  const weft::fiber f = spawn(attributes, [&] {
    w = prepare_park();
    reason = park(w, timers::never, wait_kind::object, &w);
  });
  const weft::task<> sleeper = spawn([] { this_fiber::sleep_for(1h); });
  this_fiber::yield();
  dump_all();
  this_fiber::idle();
  EXPECT_EQ(reason, -1);
  const std::string text = written_to_log(path);
  EXPECT_NE(text.find("'patient': parked, waits for object"), std::string::npos) << text;
  EXPECT_NE(text.find("waits for sleep"), std::string::npos) << text;
  EXPECT_NE(text.find("core_dump_test+0x"), std::string::npos) << text;
  unpark(w, 4);
  f.join();
  EXPECT_EQ(reason, 4);
  sleeper.kill();
}

TEST_F(dump, tells_which_descriptor_is_waited_for) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const weft::fiber f = spawn([&] { wait_readable(ends[0]); });
  this_fiber::yield();
  dump_all();
  this_fiber::idle();
  const std::string text = written_to_log(path);
  EXPECT_NE(text.find("waits for fd " + std::to_string(ends[0]) + "\n"), std::string::npos) << text;
  f.kill();
  close(ends[0]);
  close(ends[1]);
}

TEST_F(dump, is_there_for_programs_too) {
  WEFT_NEEDS_PLAIN_THREADS();
  const weft::fiber f = spawn({.name = "asked for"}, [] { this_fiber::sleep_for(1h); });
  this_fiber::yield();
  weft::dump();
  EXPECT_EQ(written_to_log(path), "") << "this hub has not come to it";
  EXPECT_TRUE(weft::test::eventually(
      [&] { return written_to_log(path).find("'asked for': parked, waits for sleep") != std::string::npos; }));
  f.kill();
}

TEST_F(dump, a_deadlock_is_reported_once_with_all_stacks) {
  // A helper thread cannot run here: with one more OS thread nothing could be told. So the "other fiber" whose wake is
  // waited for acts on the report itself.
  static waker blocked;
  [[maybe_unused]] static bool asked = false;
  may_be_woken_from_outside = []() noexcept {
    asked = true;
    unpark(blocked, 8);
    return true;
  };
  blocked = prepare_park();
  EXPECT_EQ(park(blocked, timers::never, wait_kind::object, nullptr), 8);
  may_be_woken_from_outside = nullptr;
#if !defined(__SANITIZE_THREAD__)  // whose runtime has a thread of its own
  EXPECT_TRUE(asked);
#endif
}

#if !defined(__SANITIZE_THREAD__)  // whose runtime has a thread of its own

// What another hub does between the two looks at it.
struct turn : message {
  std::atomic<bool> taken{false};
};

void await_sleep(const hub& h) {
  while (!h.sleeping.load()) std::this_thread::yield();
}

TEST_F(dump, a_hub_that_was_awake_in_between_does_not_wait) {
  WEFT_NEEDS_PLAIN_THREADS();
  static turn between;
  static int asked = 0;
  between.run = [](message& m, hub&) noexcept { static_cast<turn&>(m).taken = true; };
  weft::run({.hubs = 2}, [&] {
    ASSERT_EQ(hub_count.load(), 2U);
    hub& here = local_hub();
    hub& other = *hubs[1 - here.index];
    may_be_woken_from_outside = []() noexcept {
      ++asked;
      hub& busy = *hubs[1 - local_hub().index];
      busy.post(between);
      while (!between.taken) std::this_thread::yield();
      await_sleep(busy);
      return false;
    };
    await_sleep(other);
    report_deadlock(here);
    EXPECT_EQ(asked, 1);
    EXPECT_EQ(written_to_log(path).find("wait for each other"), std::string::npos);
    may_be_woken_from_outside = nullptr;
    {
      // Seems asleep while the other loop of its thread runs, which may wake anybody.
      const hub_driver driven_by_other_loop;
      await_sleep(other);
      report_deadlock(here);
      EXPECT_EQ(written_to_log(path).find("wait for each other"), std::string::npos);
    }
    await_sleep(other);
    report_deadlock(here);
    EXPECT_NE(written_to_log(path).find("wait for each other"), std::string::npos);
  });
}

#endif

}  // namespace
}  // namespace weft::core
