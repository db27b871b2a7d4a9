// SPDX-License-Identifier: MIT
#include "core/thread_park.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "core/hub.hpp"
#include "tests/core/turnstile.hpp"
#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/this_fiber.hpp"
#include "weft/timeout.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

// All waits here are those of threads that never get a hub.
template <class F>
void on_a_thread(F body) {
  std::thread([&] {
    body();
    EXPECT_EQ(weft_this_hub, nullptr);
  }).join();
}

TEST(thread_park, a_wake_before_the_park_is_kept_and_only_the_first_counts) {
  WEFT_NEEDS_PLAIN_THREADS();
  on_a_thread([] {
    const waker w = prepare_park();
    unpark(w, 17);
    unpark(w, 18);
    EXPECT_EQ(park(w, deadline::never()), 17);
  });
}

TEST(thread_park, a_late_wake_does_nothing_to_the_next_park) {
  WEFT_NEEDS_PLAIN_THREADS();
  on_a_thread([] {
    const waker old = prepare_park();
    EXPECT_EQ(park(old, deadline(0ns)), timed_out);
    const waker w = prepare_park();
    unpark(old, 17);
    EXPECT_EQ(park(w, deadline(1ms)), timed_out);
  });
}

TEST(thread_park, ends_at_its_deadline) {
  WEFT_NEEDS_PLAIN_THREADS();
  on_a_thread([] {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(park_shielded(prepare_park(), deadline(3ms)), timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 3ms);
  });
}

TEST(thread_park, a_fiber_wakes_a_thread_and_the_thread_a_fiber) {
  turnstile ping, pong;
  std::thread other([&] {
    for (int i = 0; i < 500; ++i) {
      ping.acquire();
      pong.release();
    }
  });
  spawn([&] {
    for (int i = 0; i < 500; ++i) {
      ping.release();
      pong.acquire();
    }
  }).join();
  other.join();
  EXPECT_EQ(ping.count() + pong.count(), 0);
}

TEST(thread_park, a_block_is_used_again_by_a_later_thread) {
  WEFT_NEEDS_PLAIN_THREADS();
  core::fiber* first = nullptr;
  std::uint64_t epoch = 0;
  on_a_thread([&] {
    first = &core::thread_block();
    epoch = prepare_park().epoch;
  });
  on_a_thread([&] {
    EXPECT_EQ(&core::thread_block(), first);
    const waker w = prepare_park();
    EXPECT_GT(w.epoch, epoch) << "a waker of the thread before must not fit";
    unpark({first, epoch});
    EXPECT_EQ(park(w, deadline(0ns)), timed_out);
  });
}

TEST(thread_park, may_be_used_by_destructors_at_the_end_of_a_thread) {
  WEFT_NEEDS_PLAIN_THREADS();
  static std::atomic<int> ended{0};
  struct waits_last {
    ~waits_last() { ended = park(prepare_park(), deadline(1ms)); }
  };
  ended = 0;
  on_a_thread([] {
    static thread_local waits_last at_exit;
    (void)&at_exit;
  });
  EXPECT_EQ(ended, timed_out);
}

// The wait stays that of the thread, which is a fiber now: who knows its waker ends it.
template <class Park>
void spawn_between_opening_and(Park park_it, void (*wake)(waker)) {
  int ended = -1;
  std::thread([&] {
    const waker w = prepare_park();
    const fiber other = spawn([&] { wake(w); });
    ended = park_it(w);
    other.join();
  }).join();
  EXPECT_EQ(ended, 20);
}

TEST(thread_park, a_thread_that_gets_a_hub_before_it_parks_lets_its_fibers_run) {
  const auto wake = [](waker w) { unpark(w, 20); };
  spawn_between_opening_and([](waker w) { return park(w, deadline::never()); }, wake);
  spawn_between_opening_and([](waker w) { return park_shielded(w, deadline::never()); }, wake);
}

TEST(thread_park, a_thread_that_gets_a_hub_before_it_parks_is_woken_before_and_while_it_waits) {
  spawn_between_opening_and([](waker w) { return park(w, deadline::never()); },
                            [](waker w) { std::thread(unpark, w, 20).join(); });
  spawn_between_opening_and(
      [](waker w) {
        std::atomic<bool> woken_up{false};
        std::thread other([&] {
          unpark(w, 20);
          woken_up = true;
        });
        while (!woken_up) this_fiber::yield();
        const int ended = park(w, deadline::never());
        other.join();
        return ended;
      },
      [](waker) {});
}

TEST(thread_park, a_thread_that_gets_a_hub_before_it_parks_can_be_timed_out_and_cancelled) {
  WEFT_NEEDS_PLAIN_THREADS();
  std::thread([] {
    const waker w = prepare_park();
    spawn([] {}).join();
    EXPECT_EQ(park(w, deadline(1ms)), timed_out);
    unpark(w, 20);
    EXPECT_EQ(park(prepare_park(), deadline(0ns)), timed_out) << "a late wake does nothing";
  }).join();
  std::thread([] {
    const waker w = prepare_park();
    spawn([] {}).join();
    const timeout limit(1ms);
    EXPECT_EQ(park(w, deadline::never()), cancelled_wait);
    EXPECT_THROW(throw_cancelled(), timeout_expired);
  }).join();
}

TEST(thread_park, threads_and_fibers_of_several_hubs_share_one_primitive) {
  constexpr int rounds = 300;
  turnstile mutex(1);
  int in = 0, sum = 0;
  auto body = [&] {
    for (int i = 0; i < rounds; ++i) {
      while (!mutex.acquire(i % 3 == 0 ? deadline(50us) : deadline::never())) continue;
      EXPECT_EQ(++in, 1);
      ++sum;
      if (i % 7 == 0) std::this_thread::yield();
      --in;
      mutex.release();
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) threads.emplace_back(body);
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      std::vector<fiber> fibers;
      for (int f = 0; f < 4; ++f) fibers.push_back(spawn(body));
      for (const fiber& f : fibers) f.join();
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(sum, rounds * 10);
  EXPECT_EQ(mutex.count(), 1);
}

TEST(thread_park, a_waker_of_somebody_else_cannot_be_parked_on) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        const waker own = prepare_park();
        on_a_thread([&] { park(own, deadline::never()); });
      },
      "a park with somebody else's waker");
  EXPECT_DEATH(
      {
        const waker own = prepare_park();
        spawn([&] { park(own, deadline::never()); }).join();
      },
      "a park with somebody else's waker");
}

}  // namespace
}  // namespace weft
