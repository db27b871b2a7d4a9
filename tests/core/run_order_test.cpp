// SPDX-License-Identifier: MIT
// Who runs next where a crowd of fibers has not begun yet. That few run in the order of spawning: fiber_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

#include "context/sanitizer.hpp"
#include "core/local_hub.hpp"
#include "plain_order.hpp"
#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"

namespace weft {
namespace {

constexpr int crowd = core::hub::crowd;

TEST(run_order, in_a_crowd_who_is_joined_goes_first_and_the_rest_in_order) {
  WEFT_NEEDS_PLAIN_THREADS();
  WEFT_NEEDS_PLAIN_ORDER();
  constexpr int count = crowd + 10;
  std::vector<int> order;
  std::vector<fiber> all;
  const auto add = [&](int i) { all.push_back(spawn([&order, i] { order.push_back(i); })); };
  for (int i = 0; i < count; ++i) add(i);
  // From the middle, a neighbour of that, and the last one: each is unlinked from another place.
  for (const int first : {crowd / 2, crowd / 2 + 1, count - 1}) {
    EXPECT_TRUE(all[static_cast<std::size_t>(first)].join());
    EXPECT_EQ(order.back(), first);
  }
  EXPECT_EQ(order.size(), 3u);
  add(count);
  for (const fiber& each : all) each.join();
  ASSERT_EQ(order.size(), static_cast<std::size_t>(count) + 1);
  EXPECT_TRUE(std::is_sorted(order.begin() + 3, order.end()));
}

TEST(run_order, in_a_crowd_who_joins_goes_on_before_the_others) {
  WEFT_NEEDS_PLAIN_THREADS();
  WEFT_NEEDS_PLAIN_ORDER();
  int begun = 0;
  std::vector<fiber> all;
  for (int i = 0; i < crowd + 10; ++i) {
    all.push_back(spawn([&begun] { ++begun; }));
  }
  int between = -1;
  const fiber outer = spawn([&] {
    const fiber inner = spawn([] {});
    const int before = begun;
    inner.join();
    between = begun - before;
  });
  outer.join();
  EXPECT_EQ(between, 0);
  EXPECT_EQ(begun, 0);
  for (const fiber& each : all) each.join();
}

TEST(run_order, nobody_is_overtaken_for_ever) {
  WEFT_NEEDS_PLAIN_THREADS();
  WEFT_NEEDS_PLAIN_ORDER();
  int begun = 0;
  constexpr int waiting = 2 * crowd;
  std::vector<fiber> all;
  for (int i = 0; i < waiting; ++i) {
    all.push_back(spawn([&begun] { ++begun; }));
  }
  int joins = 0;
  while (begun < waiting) {
    spawn([&joins] { ++joins; }).join();
  }
  EXPECT_GT(joins, 1);
  EXPECT_LE(joins, crowd);
}

std::uint64_t sum_of_leaves(std::uint64_t first, std::uint64_t leaves, int& alive, int& most) {
  if (leaves == 1) return first;
  most = std::max(most, ++alive);
  task<std::uint64_t> children[10];
  for (std::uint64_t i = 0; i < 10; ++i) {
    children[i] =
        spawn([=, &alive, &most] { return sum_of_leaves(first + i * (leaves / 10), leaves / 10, alive, most); });
  }
  std::uint64_t sum = 0;
  for (const auto& child : children) sum += child.get();
  --alive;
  return sum;
}

// All 11,111 inner ones would wait at once, each on a stack, if every level came before the next.
TEST(run_order, a_tree_is_walked_branch_by_branch) {
  WEFT_NEEDS_PLAIN_THREADS();
  WEFT_NEEDS_PLAIN_ORDER();  // with checks on, others of the crowd run before every fourth parent waits for its child
#if defined(WEFT_TSAN)
  GTEST_SKIP() << "ThreadSanitizer takes a millisecond for each fiber";
#endif
  constexpr std::uint64_t leaves = 100'000;
  int alive = 0;
  int most = 0;
  EXPECT_EQ(sum_of_leaves(0, leaves, alive, most), leaves * (leaves - 1) / 2);
  EXPECT_LT(most, 4 * crowd);
}

TEST(run_order, who_is_on_its_way_from_another_thread_comes_in_its_turn) {
  const hub here = hub::current();
  std::vector<fiber> all;
  for (int i = 0; i < crowd + 10; ++i) all.push_back(spawn([] {}));
  fiber foreign;
  bool ran = false;
  // The hub looks for messages when its thread comes back from this.
  std::thread([&] { foreign = spawn({.on = here}, [&ran] { ran = true; }); }).join();
  EXPECT_TRUE(foreign.join());
  EXPECT_TRUE(ran);
  for (const fiber& each : all) each.join();
}

}  // namespace
}  // namespace weft
