// SPDX-License-Identifier: MIT
#include "core/timers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "core/fiber.hpp"

namespace weft::core {
namespace {

TEST(timers, come_up_in_order_and_not_before_their_time) {
  timers heap;
  EXPECT_EQ(heap.next(), timers::never);
  EXPECT_EQ(heap.pop(timers::never), nullptr);

  std::mt19937 random(7);
  std::vector<std::unique_ptr<fiber>> fibers;
  for (int i = 0; i < 2000; ++i) {
    fibers.push_back(std::make_unique<fiber>());
    fibers.back()->due = static_cast<std::int64_t>(random() % 1000);
    ASSERT_TRUE(heap.arm(*fibers.back()));
  }
  // A third of them is taken out again, from anywhere in the heap.
  std::vector<std::int64_t> expected;
  for (std::size_t i = 0; i < fibers.size(); ++i) {
    if (i % 3 == 0) {
      heap.drop(*fibers[i]);
      heap.drop(*fibers[i]);
    } else {
      expected.push_back(fibers[i]->due);
    }
  }
  std::sort(expected.begin(), expected.end());
  ASSERT_EQ(heap.count(), expected.size());

  EXPECT_EQ(heap.pop(expected.front() - 1), nullptr);
  std::vector<std::int64_t> came;
  for (std::int64_t now = 0; now < 1000; ++now) {
    while (fiber* f = heap.pop(now)) {
      EXPECT_EQ(f->due, now);
      EXPECT_EQ(f->heap_slot, 0u);
      came.push_back(f->due);
    }
  }
  EXPECT_EQ(came, expected);
  EXPECT_EQ(heap.next(), timers::never);
}

TEST(timers, an_entry_moves_forward_at_once_and_back_when_it_comes_up) {
  timers heap;
  fiber f;
  f.due = 100;
  heap.arm(f);
  f.due = 300;  // later: the entry may stand where it is
  heap.arm(f);
  EXPECT_LE(heap.next(), 300);
  f.due = 50;
  heap.arm(f);
  EXPECT_EQ(heap.next(), 50);
  EXPECT_EQ(heap.count(), 1u);
  EXPECT_EQ(heap.pop(49), nullptr);
  EXPECT_EQ(heap.pop(50), &f);
  EXPECT_EQ(heap.count(), 0u);
}

}  // namespace
}  // namespace weft::core
