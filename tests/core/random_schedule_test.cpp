// SPDX-License-Identifier: MIT
#include "weft/random_schedule.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "tests/plain_threads.hpp"
#include "weft/channel.hpp"
#include "weft/fiber.hpp"
#include "weft/mutex.hpp"
#include "weft/park.hpp"
#include "weft/run.hpp"
#include "weft/this_fiber.hpp"

namespace weft {
namespace {

// What ten fibers do, in the order in which it happens: each puts its letter down three times.
std::string order_of_ten() {
  std::string order;
  std::vector<fiber> all;
  for (char letter = 'a'; letter < 'k'; ++letter) {
    all.push_back(spawn([&order, letter] {
      for (int i = 0; i < 3; ++i) {
        order += letter;
        this_fiber::yield();
      }
    }));
  }
  for (const fiber& f : all) f.join();
  return order;
}

TEST(random_schedule, draws_the_same_order_again_for_the_same_seed) {
  WEFT_NEEDS_PLAIN_THREADS();  // as a thread of the program, main may lose its turn at any time: another fiber to draw from
  std::set<std::string> orders;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::string first;
    for (int i = 0; i < 3; ++i) {
      const random_schedule drawn(seed);
      const std::string order = order_of_ten();
      if (i == 0) first = order;
      EXPECT_EQ(order, first) << "seed " << seed;
    }
    orders.insert(first);
  }
  EXPECT_GT(orders.size(), 15U);
}

TEST(random_schedule, leaves_no_ready_fiber_behind_one_that_yields) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const random_schedule drawn(seed);
    int ran = 0;
    std::vector<fiber> all;
    all.reserve(100);
    for (int i = 0; i < 100; ++i) all.push_back(spawn([&ran] { ++ran; }));
    this_fiber::yield();
    EXPECT_EQ(ran, 100) << "seed " << seed;
    for (const fiber& f : all) f.join();
  }
}

TEST(random_schedule, leaves_the_order_in_which_waiters_are_served) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const random_schedule drawn(seed);
    mutex lock;
    channel<int> numbers(0);
    std::vector<int> locked;
    std::vector<fiber> all;
    lock.lock();
    for (int i = 0; i < 8; ++i) {
      all.push_back(spawn([&, i] {
        lock.lock();
        locked.push_back(i);
        lock.unlock();
        EXPECT_TRUE(numbers.send(i));
      }));
      this_fiber::yield();  // it waits now
      this_fiber::yield();
    }
    lock.unlock();
    std::multiset<int> received;
    for (int i = 0; i < 8; ++i) received.insert(numbers.receive().value());
    EXPECT_EQ(locked, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7})) << "seed " << seed;
    EXPECT_EQ(received, (std::multiset<int>{0, 1, 2, 3, 4, 5, 6, 7}));
    for (const fiber& f : all) f.join();
  }
}

TEST(random_schedule, is_told_and_goes_with_its_object) {
  const std::uint64_t of_environment = schedule_seed();
  {
    const random_schedule outer(5);
    {
      const random_schedule inner(6);
      EXPECT_EQ(schedule_seed(), 6U);
    }
    EXPECT_EQ(schedule_seed(), 5U);
  }
  EXPECT_EQ(schedule_seed(), of_environment);
  if (of_environment == 0) {
    WEFT_NEEDS_PLAIN_THREADS();  // see above
    const std::string order = order_of_ten();
    EXPECT_EQ(order.substr(0, 10), "abcdefghij");
  }
}

TEST(random_schedule, reaches_the_other_hubs) {
  const random_schedule drawn(3);
  bool differs = false;
  run({.hubs = 2}, [&] {
    const hub other = hubs()[1];
    spawn({.on = other}, [] { this_fiber::idle(); }).join();  // it has looked at I/O
    for (int i = 0; i < 20 && !differs; ++i) {
      spawn({.on = other}, [&] {
        std::string order;
        std::vector<fiber> all;
        for (char letter = 'a'; letter < 'k'; ++letter) {
          all.push_back(spawn({.on = hub::current()}, [&order, letter] { order += letter; }));
        }
        for (const fiber& f : all) f.join();
        differs = order != "abcdefghij";
      }).join();
    }
  });
  EXPECT_TRUE(differs);
}

TEST(random_schedule, of_seed_0_is_refused) {
  try {
    const random_schedule none(0);
    FAIL();
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::invalid_argument);
  }
}

// What a fiber does between the opening of its wait and the wait may let others run: the wake is kept.
TEST(park, a_wake_between_its_opening_and_itself_is_kept_across_a_yield) {
  const waker w = prepare_park();
  const fiber waking = spawn([w] { unpark(w, 20); });
  this_fiber::yield();
  EXPECT_EQ(park(w, deadline::never()), 20);
  waking.join();
}

}  // namespace
}  // namespace weft
