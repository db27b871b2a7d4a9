// SPDX-License-Identifier: MIT
#include "weft/detail/wait_queue.hpp"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

#include "weft/detail/spin.hpp"

namespace weft::detail {
namespace {

TEST(wait_queue, serves_in_the_order_of_coming) {
  wait_queue q;
  wait_node a, b, c;
  EXPECT_TRUE(q.empty());
  EXPECT_EQ(q.pop_front(), nullptr);
  q.push(a);
  q.push(b);
  q.push(c);
  EXPECT_EQ(q.front(), &a);
  EXPECT_EQ(q.pop_front(), &a);
  EXPECT_FALSE(a.queued);
  EXPECT_EQ(q.pop_front(), &b);
  EXPECT_EQ(q.pop_front(), &c);
  EXPECT_TRUE(q.empty());
}

TEST(wait_queue, removes_from_anywhere_and_says_who_was_served_already) {
  for (int which = 0; which < 3; ++which) {
    wait_queue q;
    wait_node n[3];
    for (wait_node& node : n) q.push(node);
    EXPECT_TRUE(q.remove(n[which]));
    EXPECT_FALSE(q.remove(n[which]));
    for (int i = 0; i < 3; ++i) {
      if (i == which) continue;
      EXPECT_EQ(q.pop_front(), &n[i]);
    }
    EXPECT_TRUE(q.empty());
    q.push(n[which]);
    EXPECT_EQ(q.pop_front(), &n[which]);
  }
}

TEST(spinlock, excludes_threads_from_each_other) {
  spinlock lock;
  int sum = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        const std::lock_guard guard(lock);
        ++sum;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(sum, 80'000);
}

TEST(spinlock, says_that_its_holder_is_not_to_be_preempted) {
  spinlock a, b;
  EXPECT_EQ(weft_locks_held, 0u);
  a.lock();
  EXPECT_TRUE(b.try_lock());
  EXPECT_EQ(weft_locks_held, 2u);
  EXPECT_FALSE(b.try_lock());
  EXPECT_EQ(weft_locks_held, 2u);
  b.unlock();
  a.unlock();
  EXPECT_EQ(weft_locks_held, 0u);
}

}  // namespace
}  // namespace weft::detail
