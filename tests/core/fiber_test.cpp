// SPDX-License-Identifier: MIT
#include "weft/fiber.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <exception>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "plain_order.hpp"
#include "tests/plain_threads.hpp"
#include "weft/test_clock.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

TEST(fiber, runs_when_its_spawner_waits_and_in_the_order_of_spawning) {
  WEFT_NEEDS_PLAIN_ORDER();
  std::string order;
  fiber a = spawn([&] { order += 'a'; });
  fiber b = spawn([&] { order += 'b'; });
  EXPECT_EQ(order, "");
  EXPECT_FALSE(a.ready());
  EXPECT_TRUE(b.join());
  EXPECT_EQ(order, "ab");
  EXPECT_TRUE(a.ready());
  EXPECT_TRUE(a.join(0s));
}

TEST(fiber, an_empty_handle_joins_nothing) {
  const fiber none;
  EXPECT_FALSE(none.joinable());
  EXPECT_FALSE(none.join());
  EXPECT_EQ(none.get_id(), 0u);
}

TEST(fiber, takes_arguments_of_any_kind_and_destroys_them) {
  auto shared = std::make_shared<int>(1);
  std::array<char, 1000> large{};
  large.back() = 'x';
  struct alignas(128) aligned {
    int value = 5;
  };
  int seen = 0;
  char last = 0;
  bool on_its_border = false;
  spawn([&seen](std::unique_ptr<int> p, const std::shared_ptr<int>& s) { seen = *p + *s; }, std::make_unique<int>(41),
        shared)
      .join();
  spawn([&last, large] { last = large.back(); }).join();
  spawn([&on_its_border](const aligned& a) { on_its_border = reinterpret_cast<std::uintptr_t>(&a) % 128 == 0; },
        aligned{})
      .join();
  EXPECT_EQ(seen, 42);
  EXPECT_EQ(last, 'x');
  EXPECT_TRUE(on_its_border);
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(fiber, runs_on_after_its_handles_have_gone) {
  bool ran = false;
  {
    spawn([&] { ran = true; });
  }
  this_fiber::yield();
  EXPECT_TRUE(ran);
}

TEST(fiber, join_ends_at_its_deadline_and_can_be_tried_again) {
  WEFT_TEST_CLOCK(clock);
  bool go = false;
  fiber f = spawn([&] {
    while (!go) this_fiber::sleep_for(1min);
  });
  EXPECT_FALSE(f.join(5min));
  EXPECT_EQ(clock.elapsed(), 5min);
  EXPECT_FALSE(f.join(0s));
  go = true;
  EXPECT_TRUE(f.join());
}

TEST(fiber, a_fiber_that_joins_itself_is_told_so) {
  fiber f;
  bool joined = true;
  f = spawn([&] { joined = f.join(); });
  EXPECT_TRUE(f.join());
  EXPECT_FALSE(joined);
}

TEST(fiber, any_number_may_wait_for_one) {
  WEFT_TEST_CLOCK(clock);
  int woken = 0;
  fiber target = spawn([] { this_fiber::sleep_for(1min); });
  std::vector<fiber> waiters;
  for (int i = 0; i < 100; ++i) {
    waiters.push_back(spawn([&, i] { woken += target.join(i % 2 == 0 ? deadline::never() : deadline(1h)) ? 1 : 0; }));
  }
  for (const fiber& f : waiters) f.join();
  EXPECT_EQ(woken, 100);
}

TEST(fiber, sleepers_wake_in_the_order_of_their_deadlines) {
  WEFT_TEST_CLOCK(clock);
  WEFT_NEEDS_PLAIN_ORDER();
  std::string order;
  std::vector<fiber> fibers;
  for (auto [name, wait] : {std::pair{'c', 9min}, std::pair{'a', 1min}, std::pair{'b', 5min}}) {
    fibers.push_back(spawn([&order, name = name, by = deadline(wait)] {
      this_fiber::sleep_until(by);
      order += name;
    }));
  }
  for (const fiber& f : fibers) f.join();
  EXPECT_EQ(order, "abc");
}

// By the kernel's time: what weft::test_clock puts in its place is out of sight here.
TEST(fiber, a_sleep_is_not_short) {
  for (auto wait : {50us, 1000us, 12000us}) {
    const auto start = std::chrono::steady_clock::now();
    this_fiber::sleep_for(wait);
    EXPECT_GE(std::chrono::steady_clock::now() - start, wait);
  }
}

TEST(fiber, yield_lets_the_others_run_in_turn) {
  WEFT_NEEDS_PLAIN_ORDER();
  std::string order;
  auto body = [&order](char name) {
    for (int i = 0; i < 3; ++i) {
      order += name;
      this_fiber::yield();
    }
  };
  fiber a = spawn(body, 'a');
  fiber b = spawn(body, 'b');
  a.join();
  b.join();
  EXPECT_EQ(order, "ababab");
}

TEST(fiber, a_timer_fires_though_others_keep_each_other_ready) {
  bool stop = false;
  auto spin = [&stop] {
    while (!stop) this_fiber::yield();
  };
  fiber a = spawn(spin);
  fiber b = spawn(spin);
  this_fiber::sleep_for(2ms);
  stop = true;
  EXPECT_TRUE(a.join());
  EXPECT_TRUE(b.join());
}

TEST(fiber, ids_and_blocks_are_used_again_without_confusion) {
  std::set<std::uint64_t> ids;
  for (int round = 0; round < 100; ++round) {
    std::vector<fiber> fibers;
    for (int i = 0; i < 20; ++i) fibers.push_back(spawn([] { this_fiber::yield(); }));
    for (const fiber& f : fibers) {
      EXPECT_TRUE(ids.insert(f.get_id()).second);
      EXPECT_TRUE(f.join());
    }
  }
}

TEST(fiber, has_the_stack_it_asked_for) {
  fiber_attributes attributes;
  attributes.stack_size = 4 << 20;
  bool done = false;
  spawn(attributes, [&done] {
    volatile char deep[3 << 20];
    for (std::size_t i = 0; i < sizeof deep; i += 4096) deep[i] = 1;
    done = deep[0] == 1;
  }).join();
  EXPECT_TRUE(done);
}

TEST(fiber, has_at_least_a_small_stack_and_never_a_silently_smaller_one) {
  for (const std::size_t small : {std::size_t{0}, std::size_t{1}, std::size_t{4096}}) {
    bool done = false;
    spawn({.stack_size = small}, [&done] {
      volatile char deep[8 << 10];
      for (std::size_t i = 0; i < sizeof deep; i += 1024) deep[i] = 1;
      done = deep[0] == 1;
    }).join();
    EXPECT_TRUE(done) << small;
  }
  constexpr std::size_t most = (std::size_t{1} << 30) - 4096;
  EXPECT_TRUE(spawn({.stack_size = most}, [] {}).join());
  auto closure = std::make_shared<int>(0);
  for (const std::size_t large : {most + 1, std::size_t{1} << 30, ~std::size_t{0}}) {
    try {
      spawn({.stack_size = large}, [closure] { ++*closure; });
      ADD_FAILURE() << large;
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), std::errc::invalid_argument);
      EXPECT_NE(std::string(e.what()).find(std::to_string(large) + " bytes; the most is 1073737728"), std::string::npos)
          << e.what();
    }
  }
  this_fiber::yield();
  EXPECT_EQ(*closure, 0) << "never runs";
  EXPECT_EQ(closure.use_count(), 1);
}

// A light fiber shares its thread's storage, where the C++ runtime keeps the stack of caught exceptions.
TEST(fiber, each_has_its_own_exceptions_and_errno) {
  WEFT_TEST_CLOCK(clock);
  auto body = [](int number) {
    errno = number;
    try {
      throw std::runtime_error(std::to_string(number));
    } catch (const std::runtime_error&) {
      for (int i = 0; i < 4; ++i) {
        this_fiber::sleep_for(std::chrono::minutes(1 + number % 7));
        try {
          throw number * 10 + i;
        } catch (int value) {
          this_fiber::yield();
          EXPECT_EQ(value, number * 10 + i);
        }
        EXPECT_EQ(std::uncaught_exceptions(), 0);
      }
      try {
        throw;
      } catch (const std::runtime_error& again) {
        EXPECT_EQ(again.what(), std::to_string(number));
      }
    }
    EXPECT_EQ(errno, number);
  };
  std::vector<fiber> fibers;
  for (int i = 1; i <= 50; ++i) fibers.push_back(spawn(body, i));
  for (const fiber& f : fibers) f.join();
}

TEST(fiber, may_wait_while_an_exception_unwinds) {
  WEFT_TEST_CLOCK(clock);
  struct waits {
    ~waits() {
      EXPECT_EQ(std::uncaught_exceptions(), 1);
      this_fiber::sleep_for(1min);
      EXPECT_EQ(std::uncaught_exceptions(), 1);
    }
  };
  std::vector<fiber> fibers;
  int caught = 0;
  for (int i = 0; i < 10; ++i) {
    fibers.push_back(spawn([&caught] {
      EXPECT_EQ(std::uncaught_exceptions(), 0);
      try {
        const waits w;
        throw 1;
      } catch (int) {
        ++caught;
      }
    }));
  }
  for (const fiber& f : fibers) f.join();
  EXPECT_EQ(caught, 10);
}

TEST(fiber, a_join_from_another_hub_gives_up_while_that_hub_is_busy) {
  bool end = false;
  const fiber target = spawn([&end] {
    while (!end) this_fiber::yield();
  });
  this_fiber::yield();
  std::atomic<int> gave_up{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&gave_up, target] {
      // The first request still lies in the busy hub's inbox when the deadline passes and the second one follows.
      for (int n = 0; n < 20; ++n) EXPECT_FALSE(target.join(1us));
      ++gave_up;
    });
  }
  // This hub reads its inbox in bursts: between two of them requests pile up.
  while (gave_up != 2) {
    const auto until = std::chrono::steady_clock::now() + 100us;
    while (std::chrono::steady_clock::now() < until) {
    }
    this_fiber::yield();
  }
  end = true;
  for (std::thread& t : threads) t.join();
  EXPECT_TRUE(target.join());
}

TEST(fiber, threads_have_hubs_of_their_own_and_join_across_them) {
  std::atomic<int> sum{0};
  std::atomic<int> waiting{0};
  fiber here = spawn([&] {
    while (waiting != 4) this_fiber::yield();
    ++sum;
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&sum, &waiting, here] {
      std::vector<fiber> fibers;
      for (int n = 0; n < 50; ++n) {
        fibers.push_back(spawn([&sum, here, n] {
          if (n % 2 == 0) here.join(n % 4 == 0 ? deadline::never() : deadline(1ms));
          ++sum;
        }));
      }
      this_fiber::yield();
      ++waiting;
      for (const fiber& f : fibers) f.join();
    });
  }
  EXPECT_TRUE(here.join());
  // Fibers of the other threads ask this hub whether `here` has ended, so it has to go on turning.
  while (sum != 201) this_fiber::yield();
  for (std::thread& t : threads) t.join();
}

}  // namespace
}  // namespace weft
