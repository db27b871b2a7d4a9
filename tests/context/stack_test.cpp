// SPDX-License-Identifier: MIT
#include "context/stack.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <vector>

namespace weft::context {
namespace {

TEST(stack_spacing, is_a_power_of_two_with_room_for_the_guard) {
  EXPECT_EQ(stack_spacing(1), smallest_stack_spacing);
  EXPECT_EQ(stack_spacing(60 * 1024), 64u * 1024);
  EXPECT_EQ(stack_spacing(60 * 1024 + 1), 128u * 1024);
  EXPECT_EQ(stack_spacing(0), smallest_stack_spacing);
  EXPECT_EQ(stack_spacing(largest_stack), largest_stack_spacing);
}

TEST(stack_pool, stacks_do_not_overlap_and_can_be_written_whole) {
  stack_pool pool;
  std::vector<stack> stacks;
  for (int i = 0; i < 300; ++i) {
    stacks.push_back(pool.take(stack_spacing(12 * 1024)));
    ASSERT_TRUE(stacks.back());
    ASSERT_GE(stacks.back().size, 12u * 1024);
    std::memset(stacks.back().top - stacks.back().size, i % 256, stacks.back().size);
  }
  std::sort(stacks.begin(), stacks.end(), [](const stack& a, const stack& b) { return a.top < b.top; });
  for (std::size_t i = 1; i < stacks.size(); ++i) {
    EXPECT_GE(stacks[i].top - stacks[i].size, stacks[i - 1].top + 4096) << "no room for a guard between two stacks";
  }
  for (const stack& s : stacks) pool.give(s);
}

TEST(stack_pool, the_stack_given_back_last_is_the_next_one) {
  stack_pool pool;
  const stack a = pool.take(default_stack_spacing);
  const stack b = pool.take(default_stack_spacing);
  pool.give(a);
  pool.give(b);
  EXPECT_EQ(pool.take(default_stack_spacing).top, b.top);
  EXPECT_EQ(pool.take(default_stack_spacing).top, a.top);
}

TEST(stack_pool, sizes_are_kept_apart) {
  stack_pool pool;
  const stack small = pool.take(smallest_stack_spacing);
  pool.give(small);
  const stack large = pool.take(std::size_t{4} << 20);
  EXPECT_NE(large.top, small.top);
  EXPECT_EQ(large.size, (std::size_t{4} << 20) - 4096);
}

TEST(stack_pool, idle_stacks_lose_their_pages_and_serve_again) {
  stack_pool pool;
  std::vector<stack> stacks;
  stacks.reserve(600);
  for (int i = 0; i < 600; ++i) stacks.push_back(pool.take(smallest_stack_spacing));
  for (const stack& s : stacks) std::memset(s.top - s.size, 1, s.size);
  for (const stack& s : stacks) pool.give(s);
  pool.trim();  // idle is what was not needed since the last look, so the first one takes nothing
  while (pool.trim()) {
  }
  const auto resident = std::count_if(stacks.begin(), stacks.end(), [](const stack& s) {
    unsigned char in_core = 0;
    mincore(s.top - s.size, 4096, &in_core);
    return (in_core & 1) != 0;
  });
  EXPECT_LT(resident, 400);
  for (int i = 0; i < 600; ++i) {
    const stack s = pool.take(smallest_stack_spacing);
    ASSERT_TRUE(s);
    std::memset(s.top - s.size, 2, s.size);
  }
}

TEST(stack_pool_death, a_guard_lies_below_each_stack) {
  EXPECT_EXIT(
      {
        std::signal(SIGSEGV, SIG_DFL);  // a sanitizer would exit instead
        stack_pool pool;
        pool.take(default_stack_spacing);
        const stack s = pool.take(default_stack_spacing);
        *const_cast<volatile std::byte*>(s.top - s.size - 1) = std::byte{1};
      },
      testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace weft::context
