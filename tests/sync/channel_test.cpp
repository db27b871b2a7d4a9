// SPDX-License-Identifier: MIT
#include "weft/channel.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <numeric>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

#include "sync/helpers.hpp"
#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/test_clock.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using namespace test;

static_assert(std::ranges::input_range<channel<int>&>);
static_assert(std::ranges::input_range<channel<std::unique_ptr<int>>&>);
static_assert(std::input_iterator<std::ranges::iterator_t<channel<std::string>>>);
static_assert(!std::is_copy_constructible_v<channel<int>> && !std::is_move_constructible_v<channel<int>>);

template <class T>
std::vector<T> drain(channel<T>& from) {
  std::vector<T> all;
  while (std::optional<T> value = from.try_receive()) all.push_back(*std::move(value));
  return all;
}

TEST(channel, values_leave_in_the_order_they_entered) {
  channel<int> c(3);
  for (int i : {1, 2, 3}) EXPECT_TRUE(c.send(i));
  EXPECT_EQ(c.size(), 3u);
  EXPECT_EQ(c.capacity(), 3u);
  EXPECT_EQ(drain(c), (std::vector{1, 2, 3}));
  EXPECT_TRUE(c.empty());
}

TEST(channel, the_ring_wraps) {
  channel<int> c(3);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(c.try_send(2 * i));
    EXPECT_TRUE(c.try_send(2 * i + 1));
    EXPECT_EQ(c.try_receive(), 2 * i);
    EXPECT_EQ(c.try_receive(), 2 * i + 1);
  }
}

TEST(channel, a_full_one_makes_its_sender_wait_and_serves_it_in_turn) {
  channel<int> c(1);
  std::string order;
  const fiber a = spawn([&] {
    EXPECT_TRUE(c.send(1));
    order += 'a';
    EXPECT_TRUE(c.send(2));
    order += 'b';
  });
  let_others_run();
  const fiber b = spawn([&] {
    EXPECT_TRUE(c.send(3));
    order += 'c';
  });
  let_others_run();
  EXPECT_EQ(order, "a");
  EXPECT_FALSE(c.try_send(9));
  EXPECT_EQ(c.receive(), 1);
  // The sender that waited longest has the free place already; nobody can take it.
  EXPECT_FALSE(c.try_send(9));
  let_others_run();
  EXPECT_EQ(c.receive(), 2);
  EXPECT_EQ(c.receive(), 3);
  a.join();
  b.join();
  EXPECT_EQ(order, "abc");
}

TEST(channel, receivers_are_served_first_come_first_served) {
  channel<int> c(8);
  std::array<std::optional<int>, 3> got;
  std::vector<fiber> fibers;
  fibers.reserve(got.size());
  for (auto& slot : got) {
    fibers.push_back(spawn([&] { slot = c.receive(); }));
    let_others_run();
  }
  for (int i : {10, 11, 12}) EXPECT_TRUE(c.send(i));
  // They were handed over: a latecomer finds nothing.
  EXPECT_FALSE(c.try_receive().has_value());
  EXPECT_EQ(c.size(), 0u);
  join_all(fibers);
  EXPECT_EQ(got, (std::array<std::optional<int>, 3>{10, 11, 12}));
}

TEST(channel, capacity_0_is_a_rendezvous) {
  channel<int> c(0);
  EXPECT_EQ(c.capacity(), 0u);
  EXPECT_FALSE(c.try_send(1));
  bool sent = false;
  const fiber f = spawn([&] { sent = c.send(2); });
  let_others_run();
  EXPECT_FALSE(sent) << "nobody has taken it";
  EXPECT_EQ(c.size(), 0u);
  EXPECT_EQ(c.try_receive(), 2);
  f.join();
  EXPECT_TRUE(sent);
  std::optional<int> got;
  const fiber g = spawn([&] { got = c.receive(); });
  let_others_run();
  EXPECT_TRUE(c.try_send(3));
  EXPECT_FALSE(c.try_send(4)) << "the one receiver is served";
  g.join();
  EXPECT_EQ(got, 3);
}

TEST(channel, an_unbounded_one_never_makes_a_sender_wait) {
  constexpr int count = 10'000;
  channel<int> c(unbounded);
  EXPECT_EQ(c.capacity(), unbounded);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < count; ++i) EXPECT_TRUE(c.send(i, 0s));
    EXPECT_EQ(c.size(), static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) ASSERT_EQ(c.try_receive(), i);
  }
  // In step: a block is emptied while the next one fills.
  int next = 0;
  for (int i = 0; i < count; ++i) {
    EXPECT_TRUE(c.try_send(i));
    if (i % 7 != 0) {
      ASSERT_EQ(c.try_receive(), next++);
    }
  }
  while (std::optional<int> value = c.try_receive()) ASSERT_EQ(*value, next++);
  EXPECT_EQ(next, count);
}

TEST(channel, close_lets_what_is_inside_out_and_nothing_in) {
  channel<int> c(4);
  EXPECT_TRUE(c.send(1));
  EXPECT_TRUE(c.send(2));
  EXPECT_FALSE(c.closed());
  c.close();
  c.close();
  EXPECT_TRUE(c.closed());
  EXPECT_FALSE(c.send(3));
  EXPECT_FALSE(c.try_send(3));
  EXPECT_EQ(c.receive(), 1);
  EXPECT_EQ(c.receive(), 2);
  EXPECT_FALSE(c.receive().has_value());
  EXPECT_FALSE(c.try_receive().has_value());
}

TEST(channel, close_wakes_every_waiter) {
  channel<int> c(0);
  int ended = 0;
  const auto fibers = spawn_many(50, [&] {
    EXPECT_FALSE(c.receive().has_value());
    ++ended;
  });
  let_others_run();
  c.close();
  join_all(fibers);
  EXPECT_EQ(ended, 50);
}

TEST(channel, close_gives_a_waiting_sender_its_value_back) {
  channel<std::unique_ptr<int>> c(1);
  EXPECT_TRUE(c.send(std::make_unique<int>(1)));
  const fiber f = spawn([&] {
    auto value = std::make_unique<int>(2);
    EXPECT_FALSE(c.send(offer(value)));
    ASSERT_NE(value, nullptr);
    EXPECT_EQ(*value, 2);
  });
  let_others_run();
  c.close();
  f.join();
  EXPECT_EQ(**c.receive(), 1);
  EXPECT_FALSE(c.receive().has_value());
}

TEST(channel, a_send_that_times_out_leaves_nothing_behind) {
  WEFT_TEST_CLOCK(clock);
  channel<std::unique_ptr<int>> c(0);
  auto value = std::make_unique<int>(7);
  EXPECT_FALSE(c.send(offer(value), 0s));
  ASSERT_NE(value, nullptr);
  EXPECT_FALSE(c.send(offer(value), 1ms));
  ASSERT_NE(value, nullptr);
  EXPECT_FALSE(c.try_receive().has_value());
  EXPECT_FALSE(c.closed());
}

TEST(channel, a_receive_that_times_out_takes_nothing) {
  WEFT_TEST_CLOCK(clock);
  channel<int> c(1);
  EXPECT_FALSE(c.receive(0s).has_value());
  EXPECT_FALSE(c.receive(1ms).has_value());
  EXPECT_TRUE(c.send(1));
  EXPECT_EQ(c.receive(0s), 1) << "a passed deadline succeeds where no wait is needed";
}

TEST(channel, values_may_be_moved_only_and_large) {
  struct large {
    std::unique_ptr<int> owner;
    std::array<char, 3000> room{};
  };
  for (std::size_t capacity : {std::size_t{2}, unbounded}) {
    channel<large> c(capacity);
    EXPECT_TRUE(c.send({std::make_unique<int>(1), {}}));
    EXPECT_TRUE(c.send({std::make_unique<int>(2), {}}));
    EXPECT_EQ(*c.receive()->owner, 1);
    EXPECT_EQ(*c.receive()->owner, 2);
  }
}

TEST(channel, destroys_what_is_left_inside) {
  const auto counted = std::make_shared<int>(0);
  for (std::size_t capacity : {std::size_t{100}, unbounded}) {
    channel<std::shared_ptr<int>> c(capacity);
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(c.send(counted));
    for (int i = 0; i < 30; ++i) EXPECT_EQ(*c.receive(), counted);
    EXPECT_EQ(counted.use_count(), 71);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(channel, is_a_range_that_ends_when_it_is_closed_and_empty) {
  channel<std::unique_ptr<int>> c(2);
  const fiber f = spawn([&] {
    for (int i = 1; i <= 10; ++i) EXPECT_TRUE(c.send(std::make_unique<int>(i)));
    c.close();
  });
  int sum = 0;
  for (std::unique_ptr<int>& value : c) sum += *std::exchange(value, nullptr);
  EXPECT_EQ(sum, 55);
  f.join();
  EXPECT_TRUE(c.begin() == c.end());
}

TEST(channel, several_fibers_share_one_range) {
  channel<int> c(3);
  std::array<int, 4> sums{};
  std::vector<fiber> fibers;
  fibers.reserve(sums.size());
  for (int& sum : sums) {
    fibers.push_back(spawn([&] {
      for (int value : c) {
        sum += value;
        this_fiber::yield();
      }
    }));
  }
  for (int i = 1; i <= 100; ++i) EXPECT_TRUE(c.send(i));
  c.close();
  join_all(fibers);
  EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), 0), 5050);
  for (int sum : sums) EXPECT_GT(sum, 0);
}

TEST(channel_cancel, a_cancelled_receive_took_none) {
  channel<int> c(1);
  victim caught([&] { (void)c.receive(); });
  let_others_run();
  caught.cancel();
  EXPECT_TRUE(c.send(1));  // before it has run: the cancelled one is out of the queue by then or takes the value
  const bool thrown = was_cancelled(caught);
  EXPECT_EQ(c.try_receive().has_value(), thrown);
}

TEST(channel_cancel, a_receive_cancelled_before_any_value_came) {
  channel<int> c(0);
  victim caught([&] { (void)c.receive(); });
  let_others_run();
  caught.cancel();
  EXPECT_TRUE(was_cancelled(caught));
  EXPECT_FALSE(c.try_send(1)) << "nobody waits any more";
}

TEST(channel_cancel, a_cancelled_send_left_nothing_behind) {
  for (std::size_t capacity : {0u, 1u}) {
    channel<std::unique_ptr<int>> c(capacity);
    for (std::size_t i = 0; i < capacity; ++i) EXPECT_TRUE(c.send(nullptr));
    auto value = std::make_unique<int>(5);
    victim caught([&] { (void)c.send(offer(value)); });
    let_others_run();
    caught.cancel();
    EXPECT_TRUE(was_cancelled(caught));
    ASSERT_NE(value, nullptr) << "it is still the caller's";
    EXPECT_EQ(drain(c).size(), capacity);
  }
}

TEST(channel_cancel, a_value_that_was_handed_over_first_is_kept) {
  channel<int> c(0);
  std::optional<int> got;
  bool later = false;
  victim caught([&] {
    got = c.receive();
    later = true;
    this_fiber::sleep_for(1h);  // the cancellation stays due for the next wait
  });
  let_others_run();
  EXPECT_TRUE(c.try_send(1));
  caught.cancel();
  EXPECT_TRUE(was_cancelled(caught));
  EXPECT_EQ(got, 1);
  EXPECT_TRUE(later);
}

TEST(channel_cancel, nothing_is_thrown_where_no_wait_is_needed) {
  channel<int> c(1);
  bool done = false;
  victim caught([&] {
    EXPECT_TRUE(c.send(1));
    EXPECT_EQ(c.receive(), 1);
    done = true;
  });
  caught.cancel();
  EXPECT_FALSE(was_cancelled(caught));
  EXPECT_TRUE(done);
}

using channel_death_test = testing::Test;
TEST(channel_death_test, destroying_one_that_somebody_waits_on_aborts) {
  EXPECT_DEATH(
      {
        auto c = std::make_unique<channel<int>>(0);
        const fiber f = spawn([&] { (void)c->receive(); });
        let_others_run();
        c.reset();
      },
      "the channel .* is destroyed while");
}

// Several hubs and threads without one send and receive at once, with time-outs and cancellations in between: each
// value sent arrives once, and in the order of its sender.
struct stressed {
  explicit stressed(std::size_t capacity) : c(capacity) {}

  void send_all(unsigned sender) {
    for (std::uint32_t i = 0; i < each; ++i) {
      auto value = std::make_unique<std::uint64_t>(std::uint64_t{sender} << 32 | i);
      while (!c.send(offer(value), i % 3 == 0 ? deadline(20us) : deadline::never())) ASSERT_NE(value, nullptr);
    }
  }
  void receive_all() {
    std::array<std::int64_t, senders> last;
    last.fill(-1);
    std::uint64_t mine = 0;
    for (unsigned turn = 0;; ++turn) {
      const auto value = c.receive(turn % 5 == 0 ? deadline(20us) : deadline::never());
      if (value) {
        const auto from = static_cast<std::size_t>(**value >> 32);
        const auto number = static_cast<std::int64_t>(**value & 0xffff'ffff);
        EXPECT_LT(last[from], number);
        last[from] = number;
        ++mine;
      } else if (c.closed()) {
        break;  // nothing comes in any more, and nothing was inside
      }
    }
    received += mine;
  }

  static constexpr unsigned senders = 4;
  static constexpr std::uint32_t each = 5'000;
  channel<std::unique_ptr<std::uint64_t>> c;
  std::atomic<std::uint64_t> received{0};
};

class channel_stress : public testing::TestWithParam<std::size_t> {};

TEST_P(channel_stress, several_hubs_and_plain_threads) {
  stressed s(GetParam());
  std::vector<std::thread> receivers, senders;
  receivers.emplace_back([&] { s.receive_all(); });  // a thread without a hub
  for (int t = 0; t < 2; ++t) {
    receivers.emplace_back([&] {
      const fiber a = spawn([&] { s.receive_all(); });
      const fiber b = spawn([&] { s.receive_all(); });
      a.join();
      b.join();
    });
  }
  senders.emplace_back([&] { s.send_all(0); });
  senders.emplace_back([&] {
    const fiber a = spawn([&] { s.send_all(1); });
    const fiber b = spawn([&] { s.send_all(2); });
    const fiber c = spawn([&] { s.send_all(3); });
    a.join();
    b.join();
    c.join();
  });
  for (std::thread& t : senders) t.join();
  s.c.close();
  for (std::thread& t : receivers) t.join();
  EXPECT_EQ(s.received, std::uint64_t{stressed::senders} * stressed::each);
}

INSTANTIATE_TEST_SUITE_P(capacities, channel_stress, testing::Values(0, 1, 64, unbounded), [](const auto& test) {
  return test.param == unbounded ? std::string("unbounded") : std::to_string(test.param);
});

}  // namespace
}  // namespace weft
