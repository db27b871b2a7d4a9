// SPDX-License-Identifier: MIT
// With gevent's cases for Pool, as far as they are about more than Python.
#include "weft/pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/core/cancelling.hpp"
#include "tests/plain_threads.hpp"
#include "tests/task/ranges.hpp"
#include "weft/event.hpp"
#include "weft/test_clock.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using namespace test;
using testing_support::cancels;
using testing_support::sleep_long;

TEST(pool, spawn_waits_while_it_is_full) {
  pool p(2);
  event leave;
  int begun = 0;
  auto body = [&] {
    ++begun;
    leave.wait();
  };
  p.spawn(body);
  EXPECT_EQ(p.free_count(), 1U);
  p.spawn(body);
  EXPECT_TRUE(p.full());
  bool third = false;
  const fiber spawner = spawn([&] {
    p.spawn(body);
    third = true;
  });
  this_fiber::idle();
  EXPECT_EQ(begun, 2);
  EXPECT_FALSE(third);
  EXPECT_EQ(p.size(), 2U);
  leave.set();
  spawner.join();
  EXPECT_TRUE(p.join());
  EXPECT_EQ(begun, 3);
  EXPECT_EQ(p.free_count(), 2U);
}

TEST(pool, who_waits_for_room_gets_it_in_turn) {
  pool p(1);
  event leave;
  p.spawn([&] { leave.wait(); });
  std::vector<int> order;
  std::vector<fiber> spawners;
  spawners.reserve(4);
  for (int i = 0; i < 4; ++i) {
    spawners.push_back(spawn([&, i] { p.spawn([&order, i] { order.push_back(i); }); }));
    this_fiber::yield();
  }
  leave.set();
  for (const fiber& f : spawners) f.join();
  p.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

TEST(pool, try_spawn_and_a_deadline) {
  WEFT_TEST_CLOCK(clock);
  pool p(1);
  event leave;
  ASSERT_TRUE(p.try_spawn(0s, [&] { leave.wait(); }).has_value());
  EXPECT_FALSE(p.try_spawn(0s, [] {}).has_value());
  EXPECT_FALSE(p.try_spawn(1ms, [] {}).has_value());
  EXPECT_EQ(p.wait_available(1ms), 0U);
  leave.set();
  EXPECT_EQ(p.wait_available(), 1U);
  auto made = p.try_spawn(
      60s, [](int n) { return n; }, 6);
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->get(), 6);
}

TEST(pool, a_cancelled_spawn_has_spawned_nothing) {
  pool p(1);
  p.spawn(sleep_long);
  bool ran = false;
  EXPECT_TRUE(cancels([&] { p.spawn([&ran] { ran = true; }); }));
  EXPECT_TRUE(cancels([&] { p.try_spawn(1h, [&ran] { ran = true; }); }));
  EXPECT_TRUE(cancels([&] { p.wait_available(); }));
  EXPECT_TRUE(cancels([&] { p.join(); }));
  p.kill();
  EXPECT_EQ(p.free_count(), 1U) << "no room was lost";
  EXPECT_FALSE(ran);
}

TEST(pool, a_fiber_that_cannot_be_made_costs_no_room) {
  struct bomb {
    bomb() = default;
    bomb(const bomb&) { throw std::runtime_error("copied"); }
    void operator()() const {}
  };
  pool p(1);
  const bomb b;
  EXPECT_THROW(p.spawn(b), std::runtime_error);
  EXPECT_EQ(p.free_count(), 1U);
}

TEST(pool, of_size_zero_is_always_full) {
  pool p(0);
  EXPECT_EQ(p.free_count(), 0U);
  EXPECT_TRUE(p.full());
  EXPECT_EQ(p.wait_available(0s), 0U);
  EXPECT_FALSE(p.try_spawn(0s, [] {}).has_value());
}

TEST(pool, without_a_limit) {
  pool p;
  EXPECT_EQ(p.limit(), no_limit);
  for (int i = 0; i < 100; ++i) p.spawn([] {});
  EXPECT_FALSE(p.full());
  EXPECT_TRUE(p.join());
}

TEST(pool, add_takes_room_and_discard_gives_it_back) {
  WEFT_TEST_CLOCK(clock);
  pool p(1);
  const fiber first = spawn(sleep_long);
  const fiber second = spawn(sleep_long);
  EXPECT_TRUE(p.add(first));
  EXPECT_EQ(p.free_count(), 0U);
  EXPECT_FALSE(p.add(second, 1ms));
  EXPECT_FALSE(p.add(second, 0s));
  EXPECT_TRUE(cancels([&] { p.add(second); }));
  EXPECT_EQ(p.size(), 1U);
  EXPECT_TRUE(p.discard(first));
  EXPECT_EQ(p.free_count(), 1U);
  EXPECT_FALSE(p.add(fiber())) << "what is no fiber takes no room";
  EXPECT_EQ(p.free_count(), 1U);
  first.kill();
  second.kill();
  EXPECT_EQ(p.free_count(), 1U);
}

TEST(pool, apply_gives_the_result_or_throws) {
  pool p(1);
  EXPECT_EQ(p.apply([](const std::string& s) { return s + "!"; }, "foo"), "foo!");
  EXPECT_THROW(p.apply([] { throw std::domain_error("x"); }), std::domain_error);
  EXPECT_EQ(p.free_count(), 1U);
}

TEST(pool, apply_by_a_member_of_a_full_pool_is_inline) {
  pool p(1);
  EXPECT_EQ(p.apply([&] { return p.apply([&] { return p.apply([] { return 5; }); }); }), 5);
  pool wide(3);
  const auto outer =
      wide.apply([&] { return wide.apply([] { return this_fiber::get_id(); }) != this_fiber::get_id(); });
  EXPECT_TRUE(outer) << "where there is room it is a fiber";
}

TEST(pool, a_cancelled_apply_or_map_has_ended_its_fibers) {
  pool p(2);
  int unwound = 0;
  struct counting {
    int* count;
    ~counting() { ++*count; }
  };
  auto body = [&unwound](int) {
    const counting at_end{&unwound};
    sleep_long();
  };
  EXPECT_TRUE(cancels([&] {
    p.apply([&] {
      this_fiber::yield();
      body(1);
    });
  }));
  EXPECT_TRUE(p.empty());
  EXPECT_TRUE(cancels([&] { p.map(body, up_to(5)); }));
  EXPECT_TRUE(p.empty());
  EXPECT_LE(unwound, 3) << "one of apply, two of map";
}

TEST(pool, failing_members_cost_no_room) {
  pool p(1);
  for (int i = 0; i < 3; ++i) {
    const auto t = p.spawn([] { throw std::domain_error("x"); });
    EXPECT_THROW(t.get(), std::domain_error);
  }
  p.join();
  EXPECT_EQ(p.free_count(), 1U);
}

TEST(pool, kill_makes_room) {
  pool p(2);
  p.spawn(sleep_long);
  p.spawn(sleep_long);
  EXPECT_TRUE(p.kill());
  EXPECT_EQ(p.free_count(), 2U);
}

// gevent runs these over pools of several sizes.
class of_size : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(pool, of_size, testing::Values(1, 2, 3, 10, no_limit));

TEST_P(of_size, map) {
  pool p(GetParam());
  const auto squares = p.map([](int n) { return n * n; }, up_to(100));
  ASSERT_EQ(squares.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(squares[static_cast<std::size_t>(i)], i * i);
  EXPECT_TRUE(p.map([](int n) { return n; }, std::vector<int>()).empty());
  int sum = 0;
  p.map([&sum](int n) { sum += n; }, up_to(10));
  EXPECT_EQ(sum, 45);
}

TEST_P(of_size, imap_is_in_order) {
  pool p(GetParam());
  auto results = p.imap(
      [](int n) {
        for (int i = 0; i < n % 5; ++i) this_fiber::yield();
        return n * n;
      },
      up_to(1000));
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(results.next(), i * i);
  EXPECT_EQ(results.next(), std::nullopt);
  EXPECT_TRUE(results.done());
  EXPECT_TRUE(to_vector(p.imap([](int n) { return n; }, std::vector<int>())).empty());
}

TEST_P(of_size, imap_unordered_gives_all) {
  pool p(GetParam());
  for (int round = 0; round < 2; ++round) {
    auto squares = to_vector(p.imap_unordered(
        [](int n) {
          for (int i = 0; i < n % 7; ++i) this_fiber::yield();
          return n * n;
        },
        up_to(1000)));
    std::sort(squares.begin(), squares.end());
    ASSERT_EQ(squares.size(), 1000U);
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(squares[static_cast<std::size_t>(i)], i * i);
  }
  EXPECT_TRUE(to_vector(p.imap_unordered([](int n) { return n; }, std::vector<int>())).empty());
}

TEST_P(of_size, imap_unordered_is_in_the_order_of_completion) {
  pool p(GetParam());
  event first, second;
  const auto order = to_vector(p.imap_unordered(
      [&](int n) {
        // The first element ends last where there is room for the others beside it.
        if (n == 10 && GetParam() > 1) second.wait();
        if (n == 1) first.set();
        if (n == 2 && GetParam() > 1) first.wait();
        if (n == 2) second.set();
        return n;
      },
      std::vector<int>{10, 1, 2}));
  EXPECT_EQ(order, GetParam() == 1 ? (std::vector<int>{10, 1, 2}) : (std::vector<int>{1, 2, 10}));
}

TEST_P(of_size, a_range_that_waits_does_not_hold_up_results) {
  WEFT_TEST_CLOCK(clock);
  pool p(GetParam());
  for (const bool ordered : {true, false}) {
    mailbox box;
    auto use = [&](auto&& results) {
      box.put(1);
      EXPECT_EQ(results.next(), 1);
      EXPECT_EQ(results.next(1ms), std::nullopt);
      EXPECT_FALSE(results.done());
      box.put(2);
      EXPECT_EQ(results.next(), 2);
      box.close();
      EXPECT_EQ(results.next(), std::nullopt);
      EXPECT_TRUE(results.done());
    };
    auto same = [](int n) { return n; };
    if (ordered) {
      use(p.imap(same, box));
    } else {
      use(p.imap_unordered(same, box));
    }
  }
}

// gevent's issue 638.
TEST_P(of_size, results_that_nobody_reads_hold_up_the_work) {
  pool p(GetParam());
  for (const std::size_t most : {1U, 3U}) {
    std::size_t begun = 0;
    std::size_t read = 0;
    auto use = [&](auto&& results) {
      while (results.next()) {
        ++read;
        for (int i = 0; i < 5; ++i) this_fiber::yield();
        EXPECT_LE(begun, read + most);
      }
    };
    auto body = [&begun](int n) {
      ++begun;
      return n;
    };
    use(p.imap(body, up_to(50), most));
    EXPECT_EQ(read, 50U);
    begun = read = 0;
    use(p.imap_unordered(body, up_to(50), most));
    EXPECT_EQ(read, 50U);
  }
}

TEST(pool, used_from_several_hubs) {
  pool p(5);
  std::atomic<int> now{0}, most{0}, sum{0};
  auto body = [&] {
    const int mine = ++now;
    int seen = most;
    while (mine > seen && !most.compare_exchange_weak(seen, mine)) {
    }
    this_fiber::yield();
    --now;
    ++sum;
  };
  std::vector<std::thread> hubs;
  hubs.reserve(3);
  std::atomic<int> left{3};
  for (int t = 0; t < 3; ++t) {
    hubs.emplace_back([&] {
      for (int i = 0; i < 200; ++i) p.spawn(body);
      p.join();
      --left;
    });
  }
  for (auto& h : hubs) h.join();
  EXPECT_EQ(sum, 600);
  EXPECT_LE(most, 5);
  EXPECT_EQ(p.free_count(), 5U);
}

}  // namespace
}  // namespace weft
