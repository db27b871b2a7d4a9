// SPDX-License-Identifier: MIT
#include "weft/hub_driver.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <system_error>
#include <thread>

#include "tests/core/cancelling.hpp"
#include "tests/plain_threads.hpp"
#include "weft/event.hpp"
#include "weft/fiber.hpp"
#include "weft/io.hpp"
#include "weft/test_clock.hpp"

namespace weft {
namespace {

using namespace std::chrono_literals;

bool is_readable(const hub_driver& driver, int timeout_ms) {
  pollfd one{driver.native_handle(), POLLIN, 0};
  return ::poll(&one, 1, timeout_ms) == 1;
}

constexpr int long_enough = 60'000;

TEST(hub_driver, runs_what_is_ready_to_its_next_wait) {
  hub_driver driver;
  int steps = 0;
  const task<> walker = spawn([&] {
    for (int i = 0; i < 100; ++i) {
      ++steps;
      this_fiber::yield();
    }
  });
  EXPECT_EQ(steps, 0);
  EXPECT_TRUE(driver.run_once(60s).is_never());
  EXPECT_EQ(steps, 100);
  EXPECT_TRUE(walker.ready());
  EXPECT_FALSE(is_readable(driver, 0));
}

TEST(hub_driver, is_for_the_thread_that_made_it) {
  WEFT_NEEDS_PLAIN_THREADS();
  hub_driver driver;
  std::thread([&] {
    EXPECT_THROW(driver.run_once(), std::system_error);
    this_fiber::sleep_for(0s);  // now with a hub of its own
    EXPECT_THROW(driver.run_until([] { return true; }), std::system_error);
  }).join();
  driver.run_once();
}

TEST(hub_driver, tells_of_the_next_deadline) {
  hub_driver driver;
  WEFT_TEST_CLOCK(clock);
  const deadline due = 20min;
  const task<> sleeper = spawn([&] { this_fiber::sleep_until(due); });
  EXPECT_EQ(driver.run_once(60s), due);
  clock.advance(20min);
  EXPECT_TRUE(driver.run_once(60s).is_never());
  EXPECT_TRUE(sleeper.ready());
}

TEST(hub_driver, a_descriptor_that_a_fiber_waits_for_makes_its_own_readable) {
  hub_driver driver;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const task<bool> reader = spawn([&] { return wait_readable(ends[0]); });
  EXPECT_TRUE(driver.run_once(60s).is_never());
  EXPECT_FALSE(is_readable(driver, 0));
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  EXPECT_TRUE(is_readable(driver, long_enough));
  driver.run_once(60s);
  EXPECT_TRUE(reader.ready());
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(hub_driver, so_does_what_other_threads_ready) {
  WEFT_NEEDS_PLAIN_THREADS();
  hub_driver driver;
  event said;
  const task<> listener = spawn([&] { said.wait(); });
  EXPECT_TRUE(driver.run_once(60s).is_never());
  std::thread other([&] { said.set(); });
  EXPECT_TRUE(is_readable(driver, long_enough));
  other.join();
  driver.run_once(60s);
  EXPECT_TRUE(listener.ready());
}

TEST(hub_driver, a_hub_that_is_never_idle_gives_the_thread_back) {
  hub_driver driver;
  bool over = false;
  const task<> busy = spawn([&] {
    while (!over) this_fiber::yield();
  });
  EXPECT_LE(driver.run_once(1ms), deadline(0s));
  over = true;
  driver.run_once(60s);
  EXPECT_TRUE(busy.ready());
}

TEST(hub_driver, others_who_wait_for_idleness_are_first) {
  hub_driver driver;
  const task<bool> idler = spawn([] { return this_fiber::idle(-5, deadline::never()); });
  driver.run_once(60s);
  EXPECT_TRUE(idler.ready());
}

TEST(hub_driver, runs_until_somebody_says_so) {
  hub_driver driver;
  const task<> sleeper = spawn([] { this_fiber::sleep_for(5ms); });
  EXPECT_TRUE(driver.run_until([&] { return sleeper.ready(); }));
  EXPECT_FALSE(driver.run_until([] { return false; }, 5ms));
  event never;
  const task<> stuck = spawn([&] { never.wait(); });
  EXPECT_FALSE(driver.run_until([&] { return stuck.ready(); }, 5ms));
  stuck.kill();
}

TEST(hub_driver, destroyed_on_another_thread_aborts) {
  WEFT_NEEDS_PLAIN_THREADS();
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto driver = std::make_unique<hub_driver>();
        std::thread([&] { driver.reset(); }).join();
      },
      "a hub_driver is destroyed by another thread than its own");
}

TEST(hub_driver, in_a_forks_child_is_destroyed_and_does_no_more) {
  WEFT_NEEDS_PLAIN_THREADS();
  auto driver = std::make_unique<hub_driver>();
  int status = -1;
  std::thread([&] {
    const pid_t child = ::fork();
    if (child == 0) {
      bool refused = false;
      try {
        driver->run_once();
      } catch (const std::system_error&) {
        refused = true;
      }
      driver.reset();
      _exit(refused ? 0 : 1);
    }
    EXPECT_EQ(::waitpid(child, &status, 0), child);
  }).join();
  EXPECT_EQ(status, 0);
}

struct stopped {};

TEST(hub_driver, both_are_cancellation_points) {
  hub_driver driver;
  EXPECT_TRUE(testing_support::cancels([&] { driver.run_once(60s); }));
  EXPECT_TRUE(testing_support::cancels([&] { driver.run_until([] { return false; }); }));
  // Asleep, from another thread.
  detail::cancel_record request([](detail::cancel_record&) { throw stopped(); });
  request.enter();
  std::thread other([&] { request.request(); });
  EXPECT_THROW(driver.run_until([] { return false; }), stopped);
  request.leave();
  other.join();
  const task<> sleeper = spawn([] { this_fiber::sleep_for(1ms); });
  EXPECT_TRUE(driver.run_until([&] { return sleeper.ready(); })) << "it drives on";
}

}  // namespace
}  // namespace weft
