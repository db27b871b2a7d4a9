// SPDX-License-Identifier: MIT
#include "weft/broadcast.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "sync/helpers.hpp"
#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/select.hpp"
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

static_assert(std::ranges::input_range<broadcast<int>::subscription&>);
static_assert(!std::is_copy_constructible_v<broadcast<int>::subscription>);
static_assert(std::is_nothrow_move_constructible_v<broadcast<int>::subscription>);

template <class T>
std::vector<T> drain(typename broadcast<T>::subscription& from) {
  std::vector<T> all;
  while (std::optional<T> value = from.try_receive()) all.push_back(*std::move(value));
  return all;
}

TEST(broadcast, every_subscriber_gets_every_value_in_order) {
  broadcast<std::string> b;
  auto one = b.subscribe(4), two = b.subscribe(unbounded);
  EXPECT_EQ(b.subscribers(), 2u);
  for (const char* text : {"a", "b", "c"}) EXPECT_TRUE(b.publish(text));
  EXPECT_EQ(drain<std::string>(one), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(drain<std::string>(two), (std::vector<std::string>{"a", "b", "c"}));
}

TEST(broadcast, without_subscribers_a_value_is_lost) {
  broadcast<int> b;
  EXPECT_TRUE(b.publish(1));
  auto late = b.subscribe(1);
  EXPECT_EQ(late.try_receive(), std::nullopt);
  EXPECT_TRUE(b.publish(2));
  EXPECT_EQ(late.receive(), 2);
}

TEST(broadcast, late_joiners_get_what_is_replayed) {
  broadcast<int> b(3);
  for (int i = 1; i <= 5; ++i) EXPECT_TRUE(b.publish(i));
  auto roomy = b.subscribe(10), tight = b.subscribe(2, overflow::drop_oldest);
  EXPECT_TRUE(b.publish(6));
  EXPECT_EQ(drain<int>(roomy), (std::vector{3, 4, 5, 6}));
  EXPECT_EQ(drain<int>(tight), (std::vector{5, 6}));
  EXPECT_EQ(tight.dropped(), 1u);
  b.close();
  auto after = b.subscribe(2);
  EXPECT_EQ(after.receive(), 5);
  EXPECT_EQ(after.receive(), 6);
  EXPECT_EQ(after.receive(), std::nullopt);
}

TEST(broadcast, each_subscriber_says_what_happens_when_it_is_slow) {
  broadcast<int> b;
  auto oldest = b.subscribe(2, overflow::drop_oldest), newest = b.subscribe(2, overflow::drop_newest);
  for (int i = 1; i <= 5; ++i) EXPECT_TRUE(b.publish(i));
  EXPECT_EQ(drain<int>(oldest), (std::vector{4, 5}));
  EXPECT_EQ(drain<int>(newest), (std::vector{1, 2}));
  EXPECT_EQ(oldest.dropped(), 3u);
  EXPECT_EQ(newest.dropped(), 3u);
}

TEST(broadcast, who_blocks_is_waited_for_and_nobody_is_ahead) {
  broadcast<int> b;
  auto slow = b.subscribe(1);
  auto fast = b.subscribe(10);
  EXPECT_TRUE(b.publish(1));
  bool published = false;
  const fiber f = spawn([&] { published = b.publish(2); });
  let_others_run();
  EXPECT_FALSE(published);
  EXPECT_EQ(drain<int>(fast), (std::vector{1})) << "all get it or none";
  EXPECT_EQ(slow.receive(), 1);
  f.join();
  EXPECT_TRUE(published);
  EXPECT_EQ(slow.receive(), 2);
  EXPECT_EQ(fast.receive(), 2);
  EXPECT_EQ(slow.dropped(), 0u);
}

TEST(broadcast, a_publish_that_times_out_gave_nothing_to_anybody) {
  WEFT_TEST_CLOCK(clock);
  broadcast<int> b(1);
  auto slow = b.subscribe(1), fast = b.subscribe(10);
  EXPECT_TRUE(b.publish(1));
  EXPECT_FALSE(b.publish(2, 0s));
  EXPECT_FALSE(b.publish(2, 1ms));
  EXPECT_EQ(drain<int>(slow), (std::vector{1}));
  EXPECT_EQ(drain<int>(fast), (std::vector{1}));
  auto late = b.subscribe(1);
  EXPECT_EQ(late.receive(), 1) << "nor is it replayed";
  // Behind another that publishes the deadline holds as well.
  EXPECT_TRUE(b.publish(3));
  const fiber f = spawn([&] { EXPECT_FALSE(b.publish(4)); });
  let_others_run();
  EXPECT_FALSE(b.publish(5, 1ms));
  b.close();
  f.join();
}

TEST(broadcast, who_unsubscribes_is_not_waited_for) {
  broadcast<int> b;
  std::optional<broadcast<int>::subscription> slow = b.subscribe(1);
  auto fast = b.subscribe(10);
  EXPECT_TRUE(b.publish(1));
  bool published = false;
  const fiber f = spawn([&] { published = b.publish(2); });
  let_others_run();
  EXPECT_FALSE(published);
  slow.reset();
  f.join();
  EXPECT_TRUE(published);
  EXPECT_EQ(b.subscribers(), 1u);
  EXPECT_EQ(drain<int>(fast), (std::vector{1, 2}));
}

TEST(broadcast, who_joins_while_a_publish_waits_gets_its_value) {
  broadcast<int> b(1);
  auto slow = b.subscribe(1);
  EXPECT_TRUE(b.publish(1));
  const fiber f = spawn([&] { EXPECT_TRUE(b.publish(2)); });
  let_others_run();
  auto late = b.subscribe(1);  // full with what is replayed: waited for too
  EXPECT_EQ(slow.receive(), 1);
  let_others_run();
  EXPECT_FALSE(f.ready());
  EXPECT_EQ(late.receive(), 1);
  f.join();
  EXPECT_EQ(late.receive(), 2);
}

TEST(broadcast, close_lets_subscribers_receive_what_is_on_its_way) {
  broadcast<int> b;
  auto mine = b.subscribe(4);
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(b.publish(i));
  EXPECT_FALSE(b.closed());
  b.close();
  b.close();
  EXPECT_TRUE(b.closed());
  EXPECT_FALSE(b.publish(4));
  EXPECT_EQ(b.subscribers(), 0u);
  int sum = 0;
  for (int value : mine) sum += value;
  EXPECT_EQ(sum, 6);
}

TEST(broadcast, close_and_destruction_wake_all_who_wait) {
  auto b = std::make_unique<broadcast<int>>();
  std::vector<fiber> fibers;
  fibers.reserve(10);
  int ended = 0;
  for (int i = 0; i < 10; ++i) {
    fibers.push_back(spawn([&ended, mine = b->subscribe(1)]() mutable {
      EXPECT_EQ(mine.receive(), std::nullopt);
      ++ended;
    }));
  }
  let_others_run();
  b.reset();
  join_all(fibers);
  EXPECT_EQ(ended, 10);
}

TEST(broadcast, a_subscription_can_be_selected_over_and_moved) {
  broadcast<int> a, b;
  auto mine = a.subscribe(1), other = b.subscribe(1);
  mine = std::move(mine);
  EXPECT_TRUE(b.publish(5));
  int got = 0;
  EXPECT_EQ(select(on_receive(mine.values(), [](auto) {}), on_receive(other.values(), [&](auto v) { got = *v; })), 1u);
  EXPECT_EQ(got, 5);
  mine = std::move(other);
  EXPECT_EQ(a.subscribers(), 0u);
  EXPECT_EQ(broadcast<int>::subscription().receive(), std::nullopt);
}

TEST(broadcast, misuse) {
  broadcast<int> b;
  EXPECT_THROW((void)b.subscribe(0), std::invalid_argument);
}

TEST(broadcast, a_copy_that_fails_gives_it_to_nobody) {
  struct brittle {
    explicit brittle(int* copies_left) : left(copies_left) {}
    brittle(const brittle& other) : left(other.left) {
      if ((*left)-- == 0) throw std::runtime_error("no copy");
    }
    brittle(brittle&&) noexcept = default;
    int* left;
  };
  int copies = 1;
  broadcast<brittle> b;
  auto one = b.subscribe(4), two = b.subscribe(4);
  EXPECT_THROW(b.publish(brittle(&copies)), std::runtime_error);
  EXPECT_FALSE(one.try_receive() || two.try_receive());
  copies = 100;
  EXPECT_TRUE(b.publish(brittle(&copies)));
  EXPECT_TRUE(one.try_receive() && two.try_receive());
}

TEST(broadcast_cancel, a_cancelled_publish_gave_its_value_to_nobody) {
  broadcast<int> b;
  auto slow = b.subscribe(1), fast = b.subscribe(10);
  EXPECT_TRUE(b.publish(1));
  victim first([&] { b.publish(2); });
  victim second([&] { b.publish(3); });  // behind the first
  let_others_run();
  second.cancel();
  EXPECT_TRUE(was_cancelled(second));
  first.cancel();
  EXPECT_TRUE(was_cancelled(first));
  EXPECT_EQ(drain<int>(fast), (std::vector{1}));
  EXPECT_EQ(drain<int>(slow), (std::vector{1}));
  EXPECT_TRUE(b.publish(4));
  EXPECT_EQ(fast.receive(), 4);
}

TEST(broadcast_cancel, a_cancelled_receive_took_none) {
  broadcast<int> b;
  auto mine = b.subscribe(1);
  victim caught([&] { (void)mine.receive(); });
  let_others_run();
  caught.cancel();
  EXPECT_TRUE(was_cancelled(caught));
  EXPECT_TRUE(b.publish(1));
  EXPECT_EQ(mine.try_receive(), 1);
}

// Publishers and subscribers on several hubs and plain threads: those that block miss nothing, all see one order.
TEST(broadcast_stress, several_hubs_and_plain_threads) {
  constexpr int publishers = 3, each = 2'000;
  broadcast<int> b;
  std::vector<broadcast<int>::subscription> blocking, dropping;
  for (std::size_t capacity : {1u, 5u, 9u}) blocking.push_back(b.subscribe(capacity));
  for (overflow what : {overflow::drop_newest, overflow::drop_oldest}) dropping.push_back(b.subscribe(4, what));
  std::vector<std::vector<int>> seen(blocking.size());
  std::atomic<std::uint64_t> kept{0};
  std::vector<std::thread> receivers, senders;
  for (std::size_t i = 0; i < blocking.size(); ++i) {
    receivers.emplace_back([&, i] {
      const auto receive = [&] {
        for (int value : blocking[i]) seen[i].push_back(value);
      };
      if (i == 0) return receive();
      spawn(receive).join();
    });
  }
  for (auto& mine : dropping) {
    receivers.emplace_back([&] {
      for ([[maybe_unused]] int value : mine) ++kept;
    });
  }
  receivers.emplace_back([&] {  // comes and goes
    for (int i = 0; i < 200; ++i) {
      auto guest = b.subscribe(2);
      (void)guest.receive(50us);
    }
  });
  for (int t = 0; t < publishers; ++t) {
    senders.emplace_back([&, t] {
      const auto publish = [&] {
        for (int i = 0; i < each; ++i) {
          while (!b.publish(t * each + i, i % 4 == 0 ? deadline(20us) : deadline::never())) {
          }
        }
      };
      if (t == 0) return publish();
      spawn(publish).join();
    });
  }
  for (std::thread& t : senders) t.join();
  b.close();
  for (std::thread& t : receivers) t.join();
  EXPECT_EQ(seen[0].size(), std::size_t{publishers * each});
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(seen[0], seen[2]);
  EXPECT_EQ(kept + dropping[0].dropped() + dropping[1].dropped(), std::uint64_t{2} * publishers * each);
}

}  // namespace
}  // namespace weft
