// SPDX-License-Identifier: MIT
#include "weft/test_clock.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "plain_order.hpp"
#include "tests/plain_threads.hpp"
#include "weft/channel.hpp"
#include "weft/event.hpp"
#include "weft/fiber.hpp"
#include "weft/io.hpp"
#include "weft/offload.hpp"
#include "weft/park.hpp"
#include "weft/run.hpp"
#include "weft/select.hpp"
#include "weft/this_fiber.hpp"
#include "weft/timeout.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

// Longer than a test may run.
constexpr auto real_limit = 1min;

class test_clock_test : public ::testing::Test {
 protected:
  void SetUp() override { WEFT_NEEDS_PLAIN_THREADS(); }
  void TearDown() override { EXPECT_LT(std::chrono::steady_clock::now() - begun_, real_limit); }

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

TEST_F(test_clock_test, stands_still_while_fibers_run_and_jumps_by_a_sleep) {
  const test_clock clock;
  const auto begin = weft::clock::now();
  for (int i = 0; i < 1000; ++i) this_fiber::yield();
  EXPECT_EQ(weft::clock::now(), begin);
  this_fiber::sleep_for(1h);
  EXPECT_EQ(weft::clock::now() - begin, 1h);
  EXPECT_EQ(clock.elapsed(), 1h);
}

TEST_F(test_clock_test, sleepers_wake_at_their_points) {
  const test_clock clock;
  std::vector<std::pair<char, clock::duration>> woke;
  std::vector<fiber> all;
  for (const auto& [name, wait] : {std::pair{'c', 9h}, std::pair{'a', 1h}, std::pair{'b', 5h}}) {
    all.push_back(spawn([&, name = name, by = deadline(wait)] {
      this_fiber::sleep_until(by);
      woke.emplace_back(name, clock.elapsed());
    }));
  }
  for (const fiber& f : all) f.join();
  EXPECT_EQ(woke, (std::vector<std::pair<char, clock::duration>>{{'a', 1h}, {'b', 5h}, {'c', 9h}}));
}

TEST_F(test_clock_test, a_deadline_that_was_not_needed_is_no_reason_to_jump) {
  const test_clock clock;
  event done;
  const fiber waits = spawn([&] { EXPECT_TRUE(done.wait(10h)); });
  this_fiber::sleep_for(1h);
  done.set();
  waits.join();
  const fiber behind = spawn([&] {
    event never;
    EXPECT_FALSE(never.wait(20h));
  });
  behind.join();
  EXPECT_EQ(clock.elapsed(), 21h);
}

TEST_F(test_clock_test, timeouts_select_and_delayed_starts_go_by_it) {
  const test_clock clock;
  EXPECT_FALSE(within(2h, [] { this_fiber::sleep_for(3h); }));
  EXPECT_EQ(clock.elapsed(), 2h);
  EXPECT_TRUE(within(2h, [] { this_fiber::sleep_for(1h); }));
  EXPECT_EQ(clock.elapsed(), 3h);
  channel<int> c(0);
  bool late = false;
  select(on_receive(c, [](std::optional<int>) { FAIL(); }), on_timeout(30min, [&] { late = true; }));
  EXPECT_TRUE(late);
  EXPECT_EQ(clock.elapsed(), 3h + 30min);
  clock::duration started{};
  spawn({.start = 30min}, [&] { started = clock.elapsed(); }).join();
  EXPECT_EQ(started, 4h);
}

TEST_F(test_clock_test, a_timeout_reaches_a_fiber_that_does_not_wait) {
  const test_clock clock;
  try {
    const timeout limit(1h);
    clock.advance(2h);
    this_fiber::yield();
    FAIL() << "the suspension point did not see it";
  } catch (const timeout_expired&) {
    EXPECT_EQ(clock.elapsed(), 2h);
  }
}

TEST_F(test_clock_test, advance_alone_moves_one_that_does_not_jump) {
  const test_clock clock({.jumps = false});
  bool woke = false;
  const fiber f = spawn([&] {
    this_fiber::sleep_for(1h);
    woke = true;
  });
  this_fiber::idle();
  clock.advance(59min);
  this_fiber::yield();
  EXPECT_FALSE(woke);
  clock.advance(1min);
  this_fiber::yield();
  EXPECT_TRUE(woke);
  f.join();
  EXPECT_EQ(clock.elapsed(), 1h);
}

// What one end writes is at the other before the time moves on.
TEST_F(test_clock_test, input_at_hand_comes_first) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  {
    const test_clock clock;
    const fiber writer = spawn([&] {
      for (int i = 0; i < 10; ++i) {
        this_fiber::sleep_for(10min);
        EXPECT_EQ(::write(ends[1], "x", 1), 1);
      }
    });
    for (int i = 1; i <= 10; ++i) {
      EXPECT_TRUE(wait_readable(ends[0], 1h));
      EXPECT_EQ(clock.elapsed(), i * 10min);
      char byte = 0;
      EXPECT_EQ(::read(ends[0], &byte, 1), 1);
    }
    EXPECT_FALSE(wait_readable(ends[0], 1h));
    EXPECT_EQ(clock.elapsed(), 160min);
    writer.join();
  }
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(test_clock_test, waits_for_what_a_thread_does_for_a_fiber) {
  const test_clock clock;
  const bool in_time = within(1h, [] { offload([] { std::this_thread::sleep_for(20ms); }); });
  EXPECT_TRUE(in_time);
  EXPECT_EQ(clock.elapsed(), 0s);
}

// A thread of a pool wakes a fiber and has no work left, just when all else has agreed to a jump.
TEST_F(test_clock_test, what_a_thread_did_last_comes_before_a_jump) {
  enum { nobody_asked, asked, woken_since };
  static std::atomic<int> step;
  step = nobody_asked;
  const test_clock clock({.settle = 0ns});
  const waker w = prepare_park();
  std::thread worker([w] {
    while (step != asked) std::this_thread::yield();
    unpark(w, 5);
    step = woken_since;
  });
  const auto before = core::others_are_at_work.exchange([]() noexcept {
    if (step == nobody_asked) step = asked;
    while (step != woken_since) std::this_thread::yield();
    return false;
  });
  EXPECT_EQ(park(w, 1h), 5);
  EXPECT_EQ(clock.elapsed(), 0s);
  worker.join();
  core::others_are_at_work = before;
}

// Fibers of three hubs hand a number round, and each sleeps before it passes it on: no hub's time may run ahead of what another
// is about to do.
TEST_F(test_clock_test, is_one_for_all_hubs) {
  constexpr int hubs_used = 3;
  constexpr int rounds = 50;
  const test_clock clock;
  run({.hubs = hubs_used}, [&] {
    std::vector<std::unique_ptr<channel<int>>> ring;
    for (int i = 0; i < hubs_used; ++i) ring.push_back(std::make_unique<channel<int>>(0));
    std::vector<fiber> all;
    for (int i = 0; i < hubs_used; ++i) {
      all.push_back(spawn({.on = hubs()[static_cast<unsigned>(i)]}, [&, i] {
        channel<int>& in = *ring[static_cast<unsigned>(i)];
        channel<int>& out = *ring[static_cast<unsigned>((i + 1) % hubs_used)];
        for (int k = 0; k < rounds; ++k) {
          const std::optional<int> got = in.receive(hubs_used * 1min + 1s);
          ASSERT_TRUE(got.has_value()) << "hub " << i << ", round " << k;
          EXPECT_EQ(clock.elapsed(), std::chrono::minutes(*got));
          this_fiber::sleep_for(1min);
          if (i == hubs_used - 1 && k == rounds - 1) return;
          EXPECT_TRUE(out.send(*got + 1));
        }
      }));
    }
    EXPECT_TRUE(ring[0]->send(0));
    for (const fiber& f : all) f.join();
  });
  EXPECT_EQ(clock.elapsed(), hubs_used * rounds * 1min);
}

TEST_F(test_clock_test, a_thread_without_a_hub_waits_by_the_kernels_time) {
  const test_clock clock;
  clock.advance(1h);
  std::atomic<bool> timed_out{false};
  std::thread plain([&] {
    event never;
    timed_out = !never.wait(5ms);
  });
  while (!timed_out) this_fiber::yield();
  plain.join();
  EXPECT_EQ(clock.elapsed(), 1h);
}

TEST_F(test_clock_test, the_kernels_time_is_back_when_it_goes) {
  {
    const test_clock clock;
    this_fiber::sleep_for(1h);
  }
  EXPECT_LT(weft::clock::now() - std::chrono::steady_clock::now(), 30min);
  this_fiber::sleep_for(1ms);
}

TEST(test_clock_under_the_patch, is_refused) {
  if (core::the_patcher == nullptr) GTEST_SKIP() << "not preloaded";
  try {
    const test_clock clock;
    FAIL();
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::operation_not_supported);
  }
}

TEST_F(test_clock_test, misuse_is_told) {
  const test_clock clock;
  try {
    const test_clock second;
    FAIL();
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::operation_in_progress);
  }
  for (const std::chrono::nanoseconds span : {-1ns, std::chrono::nanoseconds::max()}) {
    try {
      clock.advance(span);
      FAIL();
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), std::errc::invalid_argument);
    }
  }
  EXPECT_EQ(clock.elapsed(), 0ns);
}

TEST_F(test_clock_test, a_thread_without_a_hub_may_advance_it) {
  const test_clock clock({.jumps = false});
  std::thread([&] {
    EXPECT_EQ(clock.elapsed(), 0ns);
    clock.advance(1h);
  }).join();
  EXPECT_EQ(clock.elapsed(), 1h);
}

}  // namespace
}  // namespace weft
