// SPDX-License-Identifier: MIT
// The sync classes as objects to be waited for beside others.
#include "weft/waitable.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <optional>
#include <vector>

#include "sync/helpers.hpp"
#include "weft/barrier.hpp"
#include "weft/broadcast.hpp"
#include "weft/channel.hpp"
#include "weft/event.hpp"
#include "weft/future.hpp"
#include "weft/latch.hpp"
#include "weft/queue.hpp"
#include "weft/semaphore.hpp"
#include "weft/wait.hpp"

namespace weft {
namespace {

using namespace test;

static_assert(waitable<event> && waitable<counting_semaphore<>> && waitable<binary_semaphore> &&
              waitable<bounded_semaphore>);
static_assert(waitable<latch> && waitable<barrier<>::arrival_token> && waitable<const barrier<>::arrival_token>);
static_assert(!waitable<barrier<>>, "which of its phases?");
static_assert(waitable<channel<int>> && waitable<queue<int>> && waitable<lifo_queue<int>> &&
              waitable<priority_queue<int>> && waitable<broadcast<int>::subscription>);
static_assert(waitable<fiber> && waitable<task<int>> && waitable<future<int>> && waitable<shared_future<int>>);
static_assert(!waitable<int> && !waitable<deadline>);

// Waits in a fiber for @p object, which is not ready; @p make_ready makes it so.
template <class W, class F>
void becomes_ready(W& object, F make_ready) {
  EXPECT_FALSE(object.ready());
  std::array<waitable_ref, 1> all{object};
  std::size_t found = 9;
  const fiber waits = spawn([&] { found = wait(all).size(); });
  let_others_run();
  EXPECT_EQ(found, 9u);
  make_ready();
  EXPECT_TRUE(waits.join(60s));
  EXPECT_EQ(found, 1u);
  EXPECT_TRUE(object.ready()) << "who waits takes nothing";
  EXPECT_EQ(wait(all, 0s).size(), 1u) << "ready from the start";
}

// A wait that is cancelled, or times out, leaves nothing behind: the object can be destroyed.
template <class W>
void is_left_alone(W& object) {
  std::array<waitable_ref, 1> all{object};
  EXPECT_EQ(wait(all, 1ms).size(), 0u);
  const fiber waits = spawn([&] { (void)wait(all); });
  let_others_run();
  EXPECT_TRUE(waits.kill(60s));
}

TEST(waitable, event) {
  event e;
  is_left_alone(e);
  becomes_ready(e, [&] { e.set(); });
}

TEST(waitable, event_that_was_up_for_a_moment_only) {
  event e;
  std::array<waitable_ref, 1> all{e};
  const fiber waits = spawn([&] { EXPECT_EQ(wait(all).size(), 1u); });
  let_others_run();
  e.set();
  e.clear();
  let_others_run();
  EXPECT_FALSE(waits.ready());
  e.set();
  EXPECT_TRUE(waits.join(60s));
}

TEST(waitable, latch) {
  latch l(2);
  is_left_alone(l);
  l.count_down();
  becomes_ready(l, [&] { l.count_down(); });
}

TEST(waitable, a_phase_of_a_barrier) {
  barrier<> b(2);
  auto first = b.arrive();
  is_left_alone(first);
  becomes_ready(first, [&] { static_cast<void>(b.arrive()); });
  auto second = b.arrive();
  EXPECT_TRUE(first.ready()) << "of a phase that is over";
  becomes_ready(second, [&] { b.arrive_and_drop(); });
}

TEST(waitable, a_phase_is_ready_behind_its_completion_function) {
  bool completed = false;
  const auto complete = [&completed]() noexcept {
    let_others_run();
    completed = true;
  };
  barrier b(2, complete);
  auto arrived = b.arrive();
  std::array<waitable_ref, 1> all{arrived};
  const fiber waits = spawn([&] {
    EXPECT_EQ(wait(all).size(), 1u);
    EXPECT_TRUE(completed);
  });
  b.arrive_and_wait();
  waits.join();
}

TEST(waitable, semaphore) {
  counting_semaphore<> s(0);
  is_left_alone(s);
  becomes_ready(s, [&] { s.release(2); });
  EXPECT_EQ(s.available(), 2);
  EXPECT_TRUE(s.try_acquire());
}

TEST(waitable, semaphore_serves_first_who_waits_for_a_unit) {
  counting_semaphore<> s(0);
  std::array<waitable_ref, 1> all{s};
  const fiber watches = spawn([&] { (void)wait(all); });
  const fiber takes = spawn([&] { s.acquire(); });
  let_others_run();
  s.release();
  EXPECT_TRUE(takes.join(60s));
  let_others_run();
  EXPECT_FALSE(watches.ready());
  EXPECT_EQ(s.available(), 0);
  const fiber takes_too = spawn([&] { s.acquire(); });
  let_others_run();
  s.release(2);  // one for each
  EXPECT_TRUE(watches.join(60s));
  EXPECT_TRUE(takes_too.join(60s));
  EXPECT_EQ(s.available(), 1);
}

TEST(waitable, semaphore_keeps_its_bound_while_it_is_watched) {
  bounded_semaphore s(1);
  std::array<waitable_ref, 2> all{s, s};
  const fiber watches = spawn([&] { (void)wait(all, 2); });
  EXPECT_TRUE(s.try_acquire());
  let_others_run();
  EXPECT_EQ(failure_of([&] { s.release(2); }), std::errc::value_too_large);
  EXPECT_EQ(s.available(), 0);
  s.release();
  EXPECT_EQ(failure_of([&] { s.release(); }), std::errc::value_too_large);
  EXPECT_TRUE(watches.join(60s));
}

TEST(waitable, channel) {
  channel<int> bounded(1), rendezvous(0), closing(1);
  is_left_alone(bounded);
  is_left_alone(rendezvous);
  becomes_ready(bounded, [&] { EXPECT_TRUE(bounded.try_send(1)); });
  EXPECT_EQ(bounded.try_receive(), 1);
  EXPECT_FALSE(bounded.ready());
  std::optional<fiber> sender;
  becomes_ready(rendezvous, [&] { sender = spawn([&] { EXPECT_TRUE(rendezvous.send(2)); }); });
  EXPECT_EQ(rendezvous.try_receive(), 2);
  sender->join();
  becomes_ready(closing, [&] { closing.close(); });
}

TEST(waitable, queue) {
  queue<int> q, shut;
  is_left_alone(q);
  becomes_ready(q, [&] { EXPECT_TRUE(q.try_push(1)); });
  EXPECT_EQ(q.try_pop(), 1);
  EXPECT_FALSE(q.ready());
  becomes_ready(shut, [&] { shut.shutdown(); });
}

TEST(waitable, broadcast_subscription) {
  broadcast<int> b;
  auto mine = b.subscribe(4);
  is_left_alone(mine);
  becomes_ready(mine, [&] { EXPECT_TRUE(b.publish(1)); });
  EXPECT_EQ(mine.try_receive(), 1);
  becomes_ready(mine, [&] { b.close(); });
  broadcast<int>::subscription none;
  std::array<waitable_ref, 1> all{none};
  EXPECT_EQ(wait(all).size(), 1u) << "it is closed";
  EXPECT_TRUE(none.closed() && none.empty() && mine.closed() && mine.empty());
}

TEST(waitable, several_of_different_kinds_in_the_order_of_becoming_ready) {
  event e;
  channel<int> c(1);
  queue<int> q;
  binary_semaphore s(0);
  promise<int> p;
  future<int> f = p.get_future();
  std::vector<waitable_ref> all{e, c, q, s, f};
  std::vector<std::size_t> order;
  const fiber waits = spawn([&] {
    for (const waitable_ref& one : wait_each(all)) {
      for (std::size_t i = 0; i < all.size(); ++i) {
        if ((i == 0 && one.is(e)) || (i == 1 && one.is(c)) || (i == 2 && one.is(q)) || (i == 3 && one.is(s)) ||
            (i == 4 && one.is(f))) {
          order.push_back(i);
        }
      }
    }
  });
  let_others_run();
  s.release();
  EXPECT_TRUE(q.try_push(1));
  p.set_value(1);
  e.set();
  EXPECT_TRUE(c.try_send(1));
  EXPECT_TRUE(waits.join(60s));
  EXPECT_EQ(order, (std::vector<std::size_t>{3, 2, 4, 0, 1}));
}

// Somebody watches while others use the objects as ever: nobody misses anything.
TEST(waitable, watched_by_a_crowd) {
  constexpr int rounds = 200;
  event stop;
  counting_semaphore<> units(0);
  queue<int> values;
  std::atomic<int> took{0}, popped{0};
  const crowd c{.hubs = 2, .fibers_per_hub = 2, .threads = 2};
  std::atomic<int> number_left{c.size()};
  const fiber gives = spawn([&] {
    for (int i = 0; i < rounds; ++i) {
      units.release(2);
      EXPECT_TRUE(values.push(i));
      if (i % 8 == 0) this_fiber::yield();
    }
    EXPECT_TRUE(eventually([&] { return took == 2 * rounds && popped == rounds; }));
    stop.set();
  });
  run_crowd(c, [&](int) {
    std::array<waitable_ref, 3> all{units, values, stop};
    while (!stop.is_set()) {
      (void)wait(all, 1);
      if (units.try_acquire()) took.fetch_add(1);
      if (values.try_pop().has_value()) popped.fetch_add(1);
    }
    --number_left;
  });
  gives.join();
  EXPECT_EQ(number_left, 0);
  EXPECT_EQ(units.available(), 0);
}

using waitable_death = testing::Test;

TEST(waitable_death, destroying_what_is_waited_for) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        detail::subscription s;
        s.notify = [](detail::subscription&) noexcept {};
        event().add_waiter(s);
      },
      "event .* is destroyed while");
  EXPECT_DEATH(
      {
        detail::subscription s;
        s.notify = [](detail::subscription&) noexcept {};
        binary_semaphore(0).add_waiter(s);
      },
      "semaphore .* is destroyed while");
  EXPECT_DEATH(
      {
        detail::subscription s;
        s.notify = [](detail::subscription&) noexcept {};
        barrier<> b(2);
        b.arrive().add_waiter(s);
      },
      "barrier .* is destroyed while");
}

}  // namespace
}  // namespace weft
