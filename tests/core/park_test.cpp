// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "core/local_hub.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "tests/plain_order.hpp"
#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"

namespace weft::core {
namespace {

int wait(waker w, std::int64_t due = timers::never, bool interruptible = false) {
  return park(w, due, wait_kind::outside, nullptr, interruptible);
}

class parking : public testing::Test {
 protected:
  void SetUp() override { local_hub(); }
};

TEST_F(parking, a_wake_before_the_park_is_kept) {
  const waker w = prepare_park();
  unpark(w, 7);
  EXPECT_EQ(wait(w), 7);
}

TEST_F(parking, only_the_first_wake_counts) {
  const waker w = prepare_park();
  unpark(w, 7);
  unpark(w, 8);
  EXPECT_EQ(wait(w), 7);
}

TEST_F(parking, a_late_wake_does_nothing_to_the_next_park) {
  const waker old = prepare_park();
  unpark(old, 7);
  EXPECT_EQ(wait(old), 7);
  const waker w = prepare_park();
  unpark(old, 8);
  EXPECT_EQ(wait(w, base::monotonic_ns() + 1'000'000), timed_out);
  unpark(old, 8);
  unpark(w, 9);
}

TEST_F(parking, a_park_ends_at_its_deadline) {
  const std::int64_t due = base::monotonic_ns() + 2'000'000;
  EXPECT_EQ(wait(prepare_park(), due), timed_out);
  EXPECT_GE(base::monotonic_ns(), due);
  EXPECT_EQ(wait(prepare_park(), 0), timed_out);
}

TEST_F(parking, an_interruption_ends_only_a_park_that_allows_it) {
  waker w{};
  int plain = -1, open = -1;
  const weft::fiber f = spawn([&] {
    w = prepare_park();
    plain = wait(w);
    open = wait(prepare_park(), timers::never, true);
  });
  weft::this_fiber::yield();
  interrupt(*w.target);
  weft::this_fiber::yield();
  EXPECT_EQ(plain, -1);
  unpark(w, 5);
  f.join();
  EXPECT_EQ(plain, 5);
  EXPECT_EQ(open, interrupted) << "it was noted while it could end nothing";
}

TEST_F(parking, an_interruption_of_an_open_park) {
  weft::core::fiber* target = nullptr;
  int reason = -1;
  const weft::fiber f = spawn([&] {
    target = &self();
    reason = wait(prepare_park(), timers::never, true);
  });
  weft::this_fiber::yield();
  interrupt(*target);
  f.join();
  EXPECT_EQ(reason, interrupted);
}

TEST_F(parking, a_thread_without_a_hub_wakes_a_fiber) {
  for (int i = 0; i < 200; ++i) {
    const waker w = prepare_park();
    std::thread other([w] { unpark(w, 3); });
    EXPECT_EQ(wait(w), 3);
    other.join();
  }
}

TEST_F(parking, a_stream_of_wakes_from_another_thread_loses_none) {
  WEFT_NEEDS_PLAIN_THREADS();
  std::atomic<std::uint64_t> offered{0};
  std::atomic<waker*> current{nullptr};
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) {
      if (waker* w = current.exchange(nullptr)) {
        unpark(*w, 4);
        offered.fetch_add(1);
      }
    }
  });
  for (std::uint64_t i = 1; i <= 500; ++i) {
    waker w = prepare_park();
    current = &w;
    ASSERT_EQ(wait(w), 4);
    // The waker's storage is ours again only when the other side has let go of it.
    while (offered.load() < i) std::this_thread::yield();
  }
  stop = true;
  other.join();
}

TEST_F(parking, fibers_of_two_hubs_hand_a_turn_to_and_fro) {
  constexpr int rounds = 500;
  struct side {
    std::atomic<std::uint64_t> token{0};  // epoch << 1 | 1 once it waits
    std::atomic<weft::core::fiber*> who{nullptr};
  } sides[2];
  std::atomic<int> turn{0};
  auto play = [&](int me) {
    for (int i = 0; i < rounds; ++i) {
      for (;;) {
        const waker w = prepare_park();
        sides[me].who = w.target;
        sides[me].token = std::uint64_t{w.epoch} << 1 | 1;
        if (turn.load() % 2 == me) {
          sides[me].token = 0;
          unpark(w);
          wait(w);
          break;
        }
        wait(w);
      }
      turn.fetch_add(1);
      if (const std::uint64_t token = sides[1 - me].token.exchange(0)) {
        unpark({sides[1 - me].who.load(), static_cast<std::uint32_t>(token >> 1)});
      }
    }
  };
  std::thread other([&] { spawn(play, 1).join(); });
  spawn(play, 0).join();
  other.join();
  EXPECT_EQ(turn, 2 * rounds);
}

TEST_F(parking, messages_run_in_the_order_of_posting_on_the_hubs_thread) {
  hub& h = local_hub();
  struct noted : message {
    std::vector<int>* into = nullptr;
    int number = 0;
    std::atomic<int>* left = nullptr;
  };
  std::vector<int> order;
  std::atomic<int> left{100};
  std::vector<noted> messages(100);
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) {
      noted& m = messages[static_cast<std::size_t>(i)];
      m.into = &order;
      m.number = i;
      m.left = &left;
      m.run = [](message& at, hub&) noexcept {
        auto& n = static_cast<noted&>(at);
        n.into->push_back(n.number);
        n.left->fetch_sub(1);
      };
      h.post(m);
    }
  });
  while (left != 0) weft::this_fiber::yield();
  other.join();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST_F(parking, a_hub_with_nothing_to_do_makes_no_switch) {
  WEFT_NEEDS_PLAIN_THREADS();
  WEFT_NEEDS_PLAIN_ORDER();  // another makes detours
  hub& h = local_hub();
  const waker w = prepare_park();
  const std::uint64_t before = h.switches;
  std::thread other([w, &h] {
    while (!h.sleeping) std::this_thread::yield();
    unpark(w);
  });
  wait(w);
  other.join();
  // Into the hub's loop and back: what an idle hub does between is in the kernel.
  EXPECT_EQ(h.switches - before, 2u);
}

}  // namespace
}  // namespace weft::core
