// SPDX-License-Identifier: MIT
#include "weft/queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "sync/helpers.hpp"
#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/test_clock.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using test::join_all;
using test::let_others_run;
using test::offer;
using test::spawn_many;
using test::victim;
using test::was_cancelled;

static_assert(std::ranges::input_range<queue<int>&>);
static_assert(std::ranges::input_range<priority_queue<std::string>&>);
static_assert(!std::is_copy_constructible_v<queue<int>> && !std::is_move_constructible_v<lifo_queue<int>>);

template <class Queue>
std::vector<typename Queue::value_type> drain(Queue& q) {
  std::vector<typename Queue::value_type> all;
  while (auto value = q.try_pop()) all.push_back(*std::move(value));
  return all;
}

TEST(queue, each_kind_has_its_order) {
  queue<int> first_in;
  lifo_queue<int> last_in;
  priority_queue<int> greatest;
  priority_queue<int, std::greater<>> least;
  for (int i : {3, 1, 4, 1, 5}) {
    EXPECT_TRUE(first_in.push(i));
    EXPECT_TRUE(last_in.push(i));
    EXPECT_TRUE(greatest.push(i));
    EXPECT_TRUE(least.push(i));
  }
  EXPECT_EQ(drain(first_in), (std::vector{3, 1, 4, 1, 5}));
  EXPECT_EQ(drain(last_in), (std::vector{5, 1, 4, 1, 3}));
  EXPECT_EQ(drain(greatest), (std::vector{5, 4, 3, 1, 1}));
  EXPECT_EQ(drain(least), (std::vector{1, 1, 3, 4, 5}));
}

TEST(queue, a_value_that_came_while_its_taker_waited) {
  priority_queue<int> q;
  std::vector<int> got;
  const auto fibers = spawn_many(2, [&] { got.push_back(*q.pop()); });
  let_others_run();
  EXPECT_TRUE(q.push(1));
  EXPECT_TRUE(q.push(2));
  EXPECT_EQ(q.try_pop(), std::nullopt) << "both were handed over";
  join_all(fibers);
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, (std::vector{1, 2}));
}

TEST(queue, a_full_one_makes_who_pushes_wait_in_turn) {
  lifo_queue<int> q(1);
  EXPECT_TRUE(q.push(1));
  EXPECT_TRUE(q.full());
  std::string order;
  const auto push = [&](int value, char name) {
    return spawn([&q, &order, value, name] {
      EXPECT_TRUE(q.push(value));
      order += name;
    });
  };
  const fiber a = push(2, 'a');
  let_others_run();
  const fiber b = push(3, 'b');
  let_others_run();
  EXPECT_FALSE(q.try_push(9));
  EXPECT_EQ(q.pop(), 1);
  EXPECT_FALSE(q.try_push(9)) << "the place is taken by who waited longest";
  let_others_run();
  EXPECT_EQ(q.pop(), 2);
  EXPECT_EQ(q.pop(), 3);
  a.join();
  b.join();
  EXPECT_EQ(order, "ab");
}

TEST(queue, times_out_without_a_trace) {
  WEFT_TEST_CLOCK(clock);
  queue<std::unique_ptr<int>> q(1);
  EXPECT_EQ(q.pop(0s), std::nullopt);
  EXPECT_EQ(q.pop(1ms), std::nullopt);
  EXPECT_TRUE(q.push(nullptr, 0s));
  auto value = std::make_unique<int>(1);
  EXPECT_FALSE(q.push(offer(value), 0s));
  EXPECT_FALSE(q.push(offer(value), 1ms));
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(q.size(), 1u);
}

TEST(queue, a_capacity_of_0_is_refused) {
  EXPECT_THROW(queue<int>(0), std::invalid_argument);
  EXPECT_THROW(priority_queue<int>(0), std::invalid_argument);
  EXPECT_EQ(queue<int>().capacity(), unbounded);
}

// -- peek

TEST(queue_peek, shows_the_next_and_leaves_it) {
  WEFT_TEST_CLOCK(clock);
  priority_queue<int> q;
  EXPECT_EQ(q.try_peek(), std::nullopt);
  EXPECT_EQ(q.peek(0s), std::nullopt);
  EXPECT_EQ(q.peek(1ms), std::nullopt);
  EXPECT_TRUE(q.push(1));
  EXPECT_TRUE(q.push(2));
  EXPECT_EQ(q.peek(), 2);
  EXPECT_EQ(q.try_peek(), 2);
  EXPECT_EQ(q.size(), 2u);
}

TEST(queue_peek, all_who_wait_see_the_first_value) {
  queue<std::string> q;
  std::vector<std::string> seen;
  auto fibers = spawn_many(3, [&] { seen.push_back(*q.peek()); });
  fibers.push_back(spawn([&] { seen.push_back(*q.pop()); }));
  let_others_run();
  EXPECT_TRUE(q.push("x"));
  join_all(fibers);
  EXPECT_EQ(seen, (std::vector<std::string>(4, "x")));
  EXPECT_TRUE(q.empty());
}

TEST(queue_peek, a_copy_that_fails_is_the_peekers_affair) {
  struct uncopyable_today {
    uncopyable_today() = default;
    uncopyable_today(uncopyable_today&&) noexcept = default;
    uncopyable_today(const uncopyable_today&) { throw std::runtime_error("no copy"); }
  };
  queue<uncopyable_today> q;
  bool failed = false;
  const fiber f = spawn([&] {
    try {
      (void)q.peek();
    } catch (const std::runtime_error&) {
      failed = true;
    }
  });
  let_others_run();
  EXPECT_TRUE(q.push(uncopyable_today()));
  f.join();
  EXPECT_TRUE(failed);
  EXPECT_EQ(q.size(), 1u);
  EXPECT_THROW((void)q.try_peek(), std::runtime_error);
}

// -- task_done and join

TEST(queue_join, an_empty_queue_is_done) {
  queue<int> q;
  EXPECT_TRUE(q.join());
  EXPECT_TRUE(q.join(0s));
}

TEST(queue_join, waits_until_every_value_is_reported) {
  WEFT_TEST_CLOCK(clock);
  queue<int> q;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(q.push(i));
  EXPECT_EQ(q.unfinished(), 5u);
  EXPECT_FALSE(q.join(1ms));
  int done = 0;
  const auto workers = spawn_many(2, [&] {
    for (int value : q) {
      this_fiber::yield();
      EXPECT_TRUE(value >= 3 || q.push(value + 10));  // work that makes work
      ++done;
      q.task_done();
    }
  });
  EXPECT_TRUE(q.join());
  EXPECT_EQ(done, 8);
  EXPECT_EQ(q.unfinished(), 0u);
  q.shutdown();
  join_all(workers);
}

TEST(queue_join, values_handed_over_count_too) {
  queue<int> q(1);
  const fiber taker = spawn([&] { (void)q.pop(); });
  let_others_run();
  EXPECT_TRUE(q.push(1));
  EXPECT_EQ(q.unfinished(), 1u);
  taker.join();
  EXPECT_TRUE(q.push(2));
  const fiber pusher = spawn([&] { EXPECT_TRUE(q.push(3)); });
  let_others_run();
  EXPECT_EQ(q.unfinished(), 2u) << "the one that waits is not in";
  EXPECT_EQ(q.pop(), 2);
  pusher.join();
  EXPECT_EQ(q.unfinished(), 3u);
}

TEST(queue_join, one_report_too_many_is_refused) {
  queue<int> q;
  EXPECT_THROW(q.task_done(), std::system_error);
  EXPECT_TRUE(q.push(1));
  q.task_done();
  EXPECT_THROW(q.task_done(), std::system_error);
  EXPECT_EQ(q.unfinished(), 0u);
  EXPECT_EQ(q.pop(), 1);
}

TEST(queue_join, wakes_all_who_wait) {
  queue<int> q;
  EXPECT_TRUE(q.push(1));
  int woken = 0;
  const auto fibers = spawn_many(10, [&] {
    EXPECT_TRUE(q.join());
    ++woken;
  });
  let_others_run();
  EXPECT_EQ(woken, 0);
  q.task_done();
  join_all(fibers);
  EXPECT_EQ(woken, 10);
}

// -- shutdown

TEST(queue_shutdown, lets_what_is_inside_out_and_nothing_in) {
  queue<int> q;
  EXPECT_TRUE(q.push(1));
  EXPECT_FALSE(q.closed());
  q.shutdown();
  q.shutdown();
  EXPECT_TRUE(q.closed());
  EXPECT_FALSE(q.push(2));
  EXPECT_FALSE(q.try_push(2));
  EXPECT_EQ(q.peek(), 1);
  EXPECT_EQ(q.pop(), 1);
  EXPECT_EQ(q.pop(), std::nullopt);
  EXPECT_EQ(q.peek(), std::nullopt);
}

TEST(queue_shutdown, at_once_drops_what_is_inside_and_counts_it_done) {
  const auto counted = std::make_shared<int>();
  queue<std::shared_ptr<int>> q;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(q.push(counted));
  EXPECT_EQ(q.pop(), counted);
  const fiber f = spawn([&] { EXPECT_TRUE(q.join()); });
  let_others_run();
  q.shutdown(true);
  EXPECT_EQ(q.pop(), std::nullopt);
  EXPECT_EQ(counted.use_count(), 1);
  EXPECT_EQ(q.unfinished(), 1u) << "the one that was taken out";
  EXPECT_FALSE(f.join(0s));
  q.task_done();
  f.join();
}

TEST(queue_shutdown, wakes_all_who_wait) {
  for (bool immediate : {false, true}) {
    queue<std::unique_ptr<int>> full(1);
    queue<int> empty;
    EXPECT_TRUE(full.push(nullptr));
    int ended = 0;
    std::vector<fiber> fibers;
    fibers.push_back(spawn([&] {
      auto value = std::make_unique<int>(1);
      EXPECT_FALSE(full.push(offer(value)));
      EXPECT_NE(value, nullptr);
      ++ended;
    }));
    fibers.push_back(spawn([&] {
      EXPECT_EQ(empty.pop(), std::nullopt);
      ++ended;
    }));
    fibers.push_back(spawn([&] {
      EXPECT_EQ(empty.peek(), std::nullopt);
      ++ended;
    }));
    let_others_run();
    EXPECT_EQ(ended, 0);
    full.shutdown(immediate);
    empty.shutdown(immediate);
    join_all(fibers);
    EXPECT_EQ(full.size(), immediate ? 0u : 1u);
  }
}

// -- cancellation, at every wait

TEST(queue_cancel, a_cancelled_pop_took_none) {
  queue<int> q;
  victim caught([&] { (void)q.pop(); });
  const fiber other = spawn([&] { EXPECT_EQ(q.pop(), 1); });
  let_others_run();
  caught.cancel();
  EXPECT_TRUE(was_cancelled(caught));
  EXPECT_TRUE(q.push(1));
  EXPECT_TRUE(other.join());
}

TEST(queue_cancel, a_cancelled_push_left_nothing_behind) {
  queue<std::unique_ptr<int>> q(1);
  EXPECT_TRUE(q.push(nullptr));
  auto value = std::make_unique<int>(1);
  victim caught([&] { (void)q.push(offer(value)); });
  let_others_run();
  caught.cancel();
  EXPECT_TRUE(was_cancelled(caught));
  EXPECT_NE(value, nullptr);
  EXPECT_EQ(drain(q).size(), 1u);
  EXPECT_EQ(q.unfinished(), 1u);
}

TEST(queue_cancel, a_cancelled_peek_and_a_cancelled_join) {
  queue<int> q;
  victim peeks([&] { (void)q.peek(); });
  let_others_run();
  peeks.cancel();
  EXPECT_TRUE(was_cancelled(peeks));
  EXPECT_TRUE(q.push(1));
  victim joins([&] { q.join(); });
  let_others_run();
  joins.cancel();
  EXPECT_TRUE(was_cancelled(joins));
  q.task_done();
}

TEST(queue_cancel, what_was_handed_over_first_is_kept) {
  queue<int> q;
  std::optional<int> got;
  victim caught([&] {
    got = q.pop();
    this_fiber::sleep_for(1h);
  });
  let_others_run();
  EXPECT_TRUE(q.push(1));
  caught.cancel();
  EXPECT_TRUE(was_cancelled(caught));
  EXPECT_EQ(got, 1);
}

// -- the cases of gevent's own suite that are not among the above

TEST(queue_gevent, a_taker_that_gave_up_does_not_swallow_a_value) {
  queue<std::string> q;
  const fiber gives_up = spawn([&] { EXPECT_EQ(q.pop(0s), std::nullopt); });
  const fiber stays = spawn([&] { EXPECT_EQ(q.pop(), "hi"); });
  gives_up.join();
  EXPECT_TRUE(q.push("hi"));
  EXPECT_TRUE(stays.join());
  EXPECT_TRUE(q.empty());
}

TEST(queue_gevent, two_takers_that_gave_up) {
  WEFT_TEST_CLOCK(clock);
  queue<std::string> q;
  for (int i = 0; i < 2; ++i) spawn([&] { EXPECT_EQ(q.pop(1ms), std::nullopt); }).join();
  EXPECT_TRUE(q.push("sent"));
  EXPECT_EQ(q.pop(), "sent");
}

TEST(queue_gevent, a_sender_that_died_has_sent) {
  queue<std::string> q;
  spawn([&] { EXPECT_TRUE(q.push("sent")); }).join();
  EXPECT_EQ(q.pop(), "sent");
}

TEST(queue_gevent, many_takers_one_value_each) {
  queue<int> q;
  std::array<int, 5> got{};
  std::vector<fiber> fibers;
  fibers.reserve(got.size());
  for (int& slot : got) {
    fibers.push_back(spawn([&] { slot = *q.pop(); }));
    let_others_run();
  }
  for (int i = 1; i <= 5; ++i) EXPECT_TRUE(q.push(i * i));
  join_all(fibers);
  EXPECT_EQ(got, (std::array{1, 4, 9, 16, 25}));
}

TEST(queue_gevent, the_place_of_a_sender_that_gave_up_is_free) {
  WEFT_TEST_CLOCK(clock);
  queue<int> q(1);
  EXPECT_TRUE(q.push(1));
  EXPECT_FALSE(q.push(2, 1ms));
  EXPECT_EQ(q.pop(), 1);
  EXPECT_TRUE(q.try_push(3));
  EXPECT_EQ(q.pop(), 3);
}

using queue_death_test = testing::Test;
TEST(queue_death_test, destroying_one_that_somebody_waits_on_aborts) {
  EXPECT_DEATH(
      {
        auto q = std::make_unique<queue<int>>();
        const fiber f = spawn([&] { (void)q->pop(); });
        let_others_run();
        q.reset();
      },
      "the queue .* is destroyed while");
}

// A comparison or a copy runs under the queue's mutex: using the queue there is told, and not a hang.
TEST(queue, using_it_from_within_a_comparison_is_refused) {
  struct nosy {
    priority_queue<int, nosy>** q;
    bool operator()(int a, int b) const {
      if (*q != nullptr) {
        EXPECT_THROW((void)(*q)->size(), std::system_error);
      }
      return a < b;
    }
  };
  priority_queue<int, nosy>* self = nullptr;
  priority_queue<int, nosy> q(unbounded, nosy{&self});
  self = &q;
  EXPECT_TRUE(q.push(1));
  EXPECT_TRUE(q.push(2));
  EXPECT_EQ(q.pop(), 2);
  self = nullptr;
}

template <class Queue>
void stress(std::size_t capacity) {
  constexpr int senders = 3, each = 3'000;
  Queue q(capacity);
  std::atomic<long> sum{0};
  std::atomic<int> taken{0};
  const auto send = [&](int first) {
    for (int i = 0; i < each; ++i) {
      while (!q.push(first + i, i % 3 == 0 ? deadline(20us) : deadline::never())) {
      }
    }
  };
  const auto take = [&] {
    for (int value : q) {
      sum += value;
      ++taken;
      q.task_done();
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      const fiber a = spawn(take);
      const fiber b = spawn(take);
      a.join();
      b.join();
    });
  }
  threads.emplace_back(take);
  std::vector<std::thread> sending;
  sending.reserve(senders);
  for (int t = 0; t < senders; ++t) {
    sending.emplace_back([&, t] {
      if (t == 0) return send(t * each);
      spawn([&] { send(t * each); }).join();
    });
  }
  for (std::thread& t : sending) t.join();
  EXPECT_TRUE(q.join());
  EXPECT_EQ(taken, senders * each);
  EXPECT_EQ(sum, long{senders * each} * (senders * each - 1) / 2);
  q.shutdown();
  for (std::thread& t : threads) t.join();
}

TEST(queue_stress, several_hubs_and_plain_threads) {
  stress<queue<int>>(1);
  stress<lifo_queue<int>>(3);
  stress<priority_queue<int>>(16);
  stress<queue<int>>(unbounded);
}

}  // namespace
}  // namespace weft
