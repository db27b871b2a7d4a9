// SPDX-License-Identifier: MIT
#include "core/scheduler.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "core/local_hub.hpp"
#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/test_clock.hpp"

namespace weft::core {
namespace {

using namespace std::chrono_literals;

TEST(park, ends_by_its_waker) {
  local_hub();
  waker w{};
  int reason = -1;
  const weft::fiber f = spawn([&] {
    w = prepare_park();
    reason = park(w, timers::never, wait_kind::object, nullptr);
  });
  this_fiber::yield();
  unpark(w, 7);
  f.join();
  EXPECT_EQ(reason, 7);
}

TEST(park, a_late_or_second_wake_does_nothing) {
  WEFT_TEST_CLOCK(clock);
  local_hub();
  waker old{};
  int ends = 0;
  const weft::fiber f = spawn([&] {
    old = prepare_park();
    park(old, timers::never, wait_kind::object, nullptr);
    ++ends;
    const waker second = prepare_park();
    EXPECT_EQ(park(second, deadline(1min).ns(), wait_kind::object, nullptr), timed_out);
    ++ends;
  });
  this_fiber::yield();
  unpark(old);
  unpark(old);
  this_fiber::yield();
  EXPECT_EQ(ends, 1);
  unpark(old);
  f.join();
  unpark(old);
  EXPECT_EQ(ends, 2);
}

TEST(park, is_over_at_once_when_it_was_woken_before) {
  local_hub();
  const waker w = prepare_park();
  unpark(w, 3);
  EXPECT_EQ(park(w, timers::never, wait_kind::object, nullptr), 3);
}

TEST(park, ends_at_its_deadline) {
  local_hub();
  const std::int64_t due = base::monotonic_ns() + 3'000'000;
  EXPECT_EQ(park(prepare_park(), due, wait_kind::sleep, nullptr), timed_out);
  EXPECT_GE(base::monotonic_ns(), due);
}

TEST(park, an_entry_left_in_the_timer_heap_does_not_end_a_later_park) {
  WEFT_TEST_CLOCK(clock);
  local_hub();
  waker w{};
  std::vector<int> reasons;
  const weft::fiber f = spawn([&] {
    w = prepare_park();
    reasons.push_back(park(w, deadline(1min).ns(), wait_kind::object, nullptr));
    w = prepare_park();
    reasons.push_back(park(w, timers::never, wait_kind::object, nullptr));
  });
  this_fiber::yield();
  unpark(w);
  this_fiber::sleep_for(5min);
  EXPECT_EQ(reasons, std::vector<int>{woken});
  unpark(w);
  f.join();
  EXPECT_EQ(reasons, (std::vector<int>{woken, woken}));
}

TEST(interrupt, ends_an_interruptible_park_and_waits_for_one_otherwise) {
  local_hub();
  core::fiber* target = nullptr;
  waker w{};
  std::vector<int> reasons;
  const weft::fiber f = spawn([&] {
    target = &self();
    reasons.push_back(park(prepare_park(), timers::never, wait_kind::object, nullptr, true));
    w = prepare_park();
    reasons.push_back(park(w, timers::never, wait_kind::object, nullptr, false));
    reasons.push_back(park(prepare_park(), timers::never, wait_kind::object, nullptr, true));
  });
  this_fiber::yield();
  interrupt(*target);
  this_fiber::yield();
  interrupt(*target);
  this_fiber::yield();
  EXPECT_EQ(reasons, std::vector<int>{interrupted});
  unpark(w);
  f.join();
  EXPECT_EQ(reasons, (std::vector<int>{interrupted, woken, interrupted}));
}

TEST(hub, looks_at_timers_while_fibers_keep_each_other_ready) {
  std::atomic<bool> stop{false};
  const weft::fiber busy = spawn([&] {
    while (!stop) this_fiber::yield();
  });
  const weft::fiber busy_too = spawn([&] {
    while (!stop) this_fiber::yield();
  });
  this_fiber::sleep_for(1ms);
  stop = true;
  busy.join();
  busy_too.join();
}

TEST(hub, runs_whose_time_has_come_before_the_one_who_made_it_late) {
  bool woke = false;
  const weft::fiber sleeper = spawn([&] {
    this_fiber::sleep_for(1ms);
    woke = true;
  });
  for (int i = 0; i < 3; ++i) this_fiber::yield();  // it sleeps now
  const auto late = std::chrono::steady_clock::now() + 1ms;
  while (std::chrono::steady_clock::now() < late) {
  }
  yield_and_poll();
  EXPECT_TRUE(woke);
  sleeper.join();
}

// One hub's fibers park; fibers of others and a plain thread wake them, early, late and twice. Counts what arrives: a lost
// wake-up would hang the test, a wrong one would break the count.
TEST(unpark, from_other_threads_is_never_lost) {
  constexpr int rounds = 500;
  constexpr int sleepers = 8;
  struct slot {
    std::atomic<std::uint64_t> turn{0};  // odd: somebody is parked with `w`
    waker w{};
  };
  std::vector<slot> slots(sleepers);
  std::atomic<int> finished{0};
  std::thread owner([&] {
    local_hub();
    std::vector<weft::fiber> fibers;
    fibers.reserve(sleepers);
    for (slot& s : slots) {
      fibers.push_back(spawn([&] {
        for (int i = 0; i < rounds; ++i) {
          s.w = prepare_park();
          s.turn.fetch_add(1, std::memory_order_release);
          while (park(s.w, timers::never, wait_kind::object, nullptr) != 5) FAIL();
        }
        finished.fetch_add(1);
      }));
    }
    for (const weft::fiber& f : fibers) f.join();
  });
  auto waker_loop = [&](unsigned part) {
    std::vector<std::uint64_t> seen(sleepers, 0);
    waker late{};
    while (finished < sleepers) {
      for (unsigned i = part; i < sleepers; i += 2) {
        const std::uint64_t turn = slots[i].turn.load(std::memory_order_acquire);
        if (turn == seen[i]) continue;
        seen[i] = turn;
        const waker w = slots[i].w;
        if (late.target != nullptr) unpark(late, 9);
        unpark(w, 5);
        unpark(w, 6);
        late = w;
      }
      std::this_thread::yield();
    }
  };
  std::thread plain(waker_loop, 0U);
  std::thread with_hub([&] {
    local_hub();
    spawn([&] { waker_loop(1); }).join();
  });
  plain.join();
  with_hub.join();
  owner.join();
  EXPECT_EQ(finished, sleepers);
}

TEST(hub, posts_wake_a_sleeping_loop) {
  WEFT_NEEDS_PLAIN_THREADS();
  std::atomic<hub*> published{nullptr};
  std::atomic<bool> leave{false};
  waker w{};
  std::thread other([&] {
    local_hub();
    w = prepare_park();
    published.store(weft_this_hub);
    park(w, timers::never, wait_kind::object, nullptr);
    leave = true;
  });
  while (published == nullptr) std::this_thread::yield();
  // Until its loop really sleeps: then the wake must get through the kernel.
  while (!published.load()->sleeping.load()) std::this_thread::yield();
  unpark(w);
  other.join();
  EXPECT_TRUE(leave);
}

}  // namespace
}  // namespace weft::core
