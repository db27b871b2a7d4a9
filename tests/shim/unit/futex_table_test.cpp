// SPDX-License-Identifier: MIT
#include "shim/futex_table.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "shim/futex.hpp"

namespace weft::shim {
namespace {

std::uint32_t words[2];

void queue(futex_waiter& w, std::uint32_t* at) {
  futex_bucket& bucket = futex_bucket_of(at);
  const std::lock_guard guard(bucket.lock);
  __atomic_store_n(&w.at, at, __ATOMIC_RELEASE);
  w.queued = true;
  bucket.waiters.push_back(&w);
}

// As a waker does; it may not touch the waiter afterwards.
bool claim_first(std::uint32_t* at) {
  futex_bucket& bucket = futex_bucket_of(at);
  const std::lock_guard guard(bucket.lock);
  for (futex_waiter* w = bucket.waiters.front(); w != nullptr; w = bucket.waiters.after(w)) {
    if (w->at != at) continue;
    w->unlink();
    w->queued = false;
    return true;
  }
  return false;
}

// As FUTEX_REQUEUE does.
void move_all(std::uint32_t* from, std::uint32_t* to) {
  futex_bucket& source = futex_bucket_of(from);
  futex_bucket& target = futex_bucket_of(to);
  const futex_pair_lock guard(source, target);
  for (futex_waiter* w = source.waiters.front(); w != nullptr;) {
    futex_waiter* const after = source.waiters.after(w);
    if (w->at == from) {
      w->unlink();
      __atomic_store_n(&w->at, to, __ATOMIC_RELEASE);
      target.waiters.push_back(w);
    }
    w = after;
  }
}

TEST(futex_table, who_was_claimed_is_not_withdrawn) {
  futex_waiter first;
  futex_waiter second;
  queue(first, &words[0]);
  queue(second, &words[0]);
  ASSERT_TRUE(claim_first(&words[0]));
  EXPECT_FALSE(futex_withdraw(first));
  EXPECT_TRUE(futex_withdraw(second));
  EXPECT_FALSE(futex_withdraw(second));
  EXPECT_FALSE(claim_first(&words[0]));
}

TEST(futex_table, who_was_moved_is_found_where_he_is) {
  futex_waiter w;
  queue(w, &words[0]);
  move_all(&words[0], &words[1]);
  EXPECT_FALSE(claim_first(&words[0]));
  EXPECT_TRUE(futex_withdraw(w));
  EXPECT_FALSE(claim_first(&words[1]));
}

TEST(futex_table, a_pair_of_one_bucket_is_locked_once) {
  futex_bucket& bucket = futex_bucket_of(&words[0]);
  {
    const futex_pair_lock guard(bucket, bucket);
    EXPECT_FALSE(bucket.lock.try_lock());
  }
  ASSERT_TRUE(bucket.lock.try_lock());
  bucket.lock.unlock();
}

TEST(futex_table, a_forks_child_has_no_waiters) {
  futex_waiter w;
  queue(w, &words[0]);
  forget_futexes();
  EXPECT_FALSE(claim_first(&words[0]));
}

// Waiters that give up, wakers and movers in both directions: each wait ends once, by one of the two, and leaves nothing behind.
TEST(futex_table, each_wait_ends_once) {
  constexpr int rounds = 500;
  std::atomic<bool> over{false};
  std::atomic<long> claimed{0};
  std::atomic<long> told{0};
  std::thread waker([&] {
    while (!over) {
      for (std::uint32_t& word : words) claimed += claim_first(&word) ? 1 : 0;
      std::this_thread::yield();
    }
  });
  std::thread mover([&] {
    for (int turn = 0; !over; turn ^= 1) {
      move_all(&words[turn], &words[1 - turn]);
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> waiting;
  for (int i = 0; i < 2; ++i) {
    waiting.emplace_back([&, i] {
      for (int round = 0; round < rounds; ++round) {
        futex_waiter w;
        queue(w, &words[(round + i) % 2]);
        if (round % 4 == 0) std::this_thread::yield();
        if (!futex_withdraw(w)) ++told;
      }
    });
  }
  for (std::thread& t : waiting) t.join();
  over = true;
  waker.join();
  mover.join();
  EXPECT_EQ(claimed, told);
  for (std::uint32_t& word : words) EXPECT_FALSE(claim_first(&word));
}

}  // namespace
}  // namespace weft::shim
