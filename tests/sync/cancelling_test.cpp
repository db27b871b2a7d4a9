// SPDX-License-Identifier: MIT
// Every call of the sync classes that waits gives up at its deadline and by a cancellation, and has then changed nothing: the
// object serves others as if it had not been called.
#include "core/cancelling.hpp"

#include <gtest/gtest.h>

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stop_token>
#include <utility>

#include "sync/helpers.hpp"
#include "weft/barrier.hpp"
#include "weft/broadcast.hpp"
#include "weft/channel.hpp"
#include "weft/condition_variable.hpp"
#include "weft/event.hpp"
#include "weft/latch.hpp"
#include "weft/mutex.hpp"
#include "weft/once.hpp"
#include "weft/queue.hpp"
#include "weft/recursive_mutex.hpp"
#include "weft/select.hpp"
#include "weft/semaphore.hpp"
#include "weft/shared_mutex.hpp"
#include "weft/wait.hpp"

namespace weft {
namespace {

using namespace test;
using testing_support::expect_given_up;

// How long there is still until @p by, for calls that take a duration or a point.
std::chrono::nanoseconds until(deadline by) {
  return by.is_never() ? std::chrono::hours(100) : std::chrono::nanoseconds(by.ns() - deadline(0s).ns());
}
std::chrono::steady_clock::time_point point(deadline by) { return std::chrono::steady_clock::now() + until(by); }

// Calls @p waits with a lock that another fiber holds, by @p lock and @p unlock.
template <class Mutex, class Lock, class Unlock, class F>
void while_another_holds(Mutex& m, Lock lock, Unlock unlock, F waits) {
  event enough;
  const fiber holder = spawn([&] {
    lock(m);
    enough.wait();
    unlock(m);
  });
  let_others_run();
  waits();
  enough.set();
  holder.join();
}

template <class Mutex>
void expect_lock_given_up(Mutex& m) {
  expect_given_up("lock", [&](deadline by) {
    if (!by.is_never()) return m.lock(by);
    m.lock();
    return true;
  });
  expect_given_up("try_lock_for", [&](deadline by) { return m.try_lock_for(until(by)); });
  expect_given_up("try_lock_until", [&](deadline by) { return m.try_lock_until(point(by)); });
}

template <class Mutex>
class locks : public testing::Test {};
using lock_classes = testing::Types<mutex, recursive_mutex, shared_mutex>;
TYPED_TEST_SUITE(locks, lock_classes);

TYPED_TEST(locks, are_given_up) {
  TypeParam m;
  while_another_holds(
      m, [](auto& l) { l.lock(); }, [](auto& l) { l.unlock(); }, [&] { expect_lock_given_up(m); });
  const std::unique_lock last(m, std::try_to_lock);
  EXPECT_TRUE(last.owns_lock());
}

TEST(cancelling, shared_mutex) {
  shared_mutex m;
  while_another_holds(
      m, [](auto& l) { l.lock(); }, [](auto& l) { l.unlock(); },
      [&] {
        expect_given_up("lock_shared", [&](deadline by) {
          if (!by.is_never()) return m.lock_shared(by);
          m.lock_shared();
          return true;
        });
        expect_given_up("try_lock_shared_for", [&](deadline by) { return m.try_lock_shared_for(until(by)); });
        expect_given_up("try_lock_shared_until", [&](deadline by) { return m.try_lock_shared_until(point(by)); });
      });
  while_another_holds(
      m, [](auto& l) { l.lock_shared(); }, [](auto& l) { l.unlock_shared(); },
      [&] {
        expect_lock_given_up(m);
        const std::shared_lock reader(m, std::try_to_lock);
        EXPECT_TRUE(reader.owns_lock()) << "no writer waits any more";
      });
  const std::unique_lock last(m, std::try_to_lock);
  EXPECT_TRUE(last.owns_lock());
}

template <class Mutex>
void expect_wait_given_up() {
  Mutex m;
  condition_variable changed;
  std::unique_lock lock(m);
  const auto never = [&] {
    EXPECT_TRUE(lock.owns_lock());
    return false;
  };
  const std::stop_source nobody_stops;
  const std::stop_token stop = nobody_stops.get_token();
  const auto notified = [](std::cv_status s) { return s == std::cv_status::no_timeout; };
  expect_given_up("wait", [&](deadline by) { return notified(changed.wait(lock, by)); });
  expect_given_up("wait for a predicate", [&](deadline by) { return changed.wait(lock, never, by); });
  expect_given_up("wait with a stop token", [&](deadline by) { return changed.wait(lock, stop, never, by); });
  expect_given_up("wait_for", [&](deadline by) { return notified(changed.wait_for(lock, until(by))); });
  expect_given_up("wait_until", [&](deadline by) { return notified(changed.wait_until(lock, point(by))); });
  expect_given_up("wait_for a predicate", [&](deadline by) { return changed.wait_for(lock, until(by), never); });
  expect_given_up("wait_until a predicate", [&](deadline by) { return changed.wait_until(lock, point(by), never); });
  EXPECT_TRUE(lock.owns_lock());
  const fiber other = spawn([&] {
    const std::lock_guard held(m);  // given back by who waits
    changed.notify_one();
  });
  EXPECT_EQ(changed.wait(lock, 1min), std::cv_status::no_timeout);
  other.join();
}

TEST(cancelling, condition_variable) {
  expect_wait_given_up<mutex>();
  expect_wait_given_up<recursive_mutex>();  // as condition_variable_any
}

TEST(cancelling, semaphores) {
  counting_semaphore<> counting(0);
  bounded_semaphore bounded(1);
  bounded.acquire();
  const auto expect_acquire_given_up = [](auto& s) {
    expect_given_up("acquire", [&](deadline by) {
      if (!by.is_never()) return s.acquire(by);
      s.acquire();
      return true;
    });
    expect_given_up("try_acquire_for", [&](deadline by) { return s.try_acquire_for(until(by)); });
    expect_given_up("try_acquire_until", [&](deadline by) { return s.try_acquire_until(point(by)); });
    expect_given_up("on_acquire", [&](deadline by) { return select(on_acquire(s, [] {}), by).has_value(); });
    s.release();
    EXPECT_EQ(s.available(), 1);
  };
  expect_acquire_given_up(counting);
  expect_acquire_given_up(bounded);
}

TEST(cancelling, event_latch_and_barrier) {
  event e;
  latch l(1);
  barrier b(2);
  const auto arrived = b.arrive();
  std::array<waitable_ref, 3> all{e, l, arrived};
  expect_given_up("event::wait", [&](deadline by) { return e.wait(by); });
  expect_given_up("latch::wait", [&](deadline by) { return l.wait(by); });
  expect_given_up("latch::arrive_and_wait", [&](deadline by) { return l.arrive_and_wait(0, by); });
  expect_given_up("barrier::wait", [&](deadline by) { return b.wait(arrived, by); });
  expect_given_up("wait", [&](deadline by) { return !wait(all, 1, by).empty(); });
  expect_given_up("wait_each", [&](deadline by) { return wait_each(all, by).next() != nullptr; });
  expect_given_up("select",
                  [&](deadline by) { return select(on(e, [] {}), on(l, [] {}), on(arrived, [] {}), by).has_value(); });
  e.set();
  l.count_down();
  static_cast<void>(b.arrive());
  EXPECT_TRUE(e.wait(0s) && l.wait(0s) && b.wait(arrived, 0s));
}

TEST(cancelling, barrier_arrive_and_wait) {
  barrier late(2), cancelled(2);
  EXPECT_FALSE(late.arrive_and_wait(1ms));
  EXPECT_TRUE(testing_support::cancels([&] { cancelled.arrive_and_wait(); }));
  EXPECT_TRUE(late.arrive_and_wait(0s) && cancelled.arrive_and_wait(0s)) << "the arrivals count";
}

TEST(cancelling, once) {
  once_flag flag;
  event enough;
  const fiber first = spawn([&] { call_once(flag, [&] { enough.wait(); }); });
  let_others_run();
  bool again = false;
  const auto call = [&] { again = true; };
  expect_given_up("call_once", [&](deadline by) {
    if (!by.is_never()) return call_once_until(flag, by, call);
    call_once(flag, call);
    return true;
  });
  enough.set();
  first.join();
  EXPECT_TRUE(call_once_until(flag, 0s, call));
  EXPECT_FALSE(again);
}

TEST(cancelling, channel) {
  for (const std::size_t capacity : {std::size_t{0}, std::size_t{2}}) {
    channel<std::unique_ptr<int>> c(capacity);
    expect_given_up("receive", [&](deadline by) { return c.receive(by).has_value(); });
    expect_given_up("on_receive", [&](deadline by) { return select(on_receive(c, [](auto&&) {}), by).has_value(); });
    EXPECT_TRUE(testing_support::cancels([&] {
      for (const auto& v : c) ADD_FAILURE() << *v;
    }));
    for (std::size_t i = 0; i < capacity; ++i) EXPECT_TRUE(c.try_send(std::make_unique<int>(-1)));
    auto mine = std::make_unique<int>(7);
    expect_given_up("send", [&](deadline by) { return c.send(offer(mine), by); });
    expect_given_up("on_send",
                    [&](deadline by) { return select(on_send(c, offer(mine), [](bool) {}), by).has_value(); });
    ASSERT_NE(mine, nullptr) << "it is the caller's still";
    EXPECT_EQ(c.size(), capacity);
    for (std::size_t i = 0; i < capacity; ++i) EXPECT_EQ(**c.try_receive(), -1);
    EXPECT_EQ(c.try_receive(), std::nullopt) << "nothing was left behind";
    const fiber sends = spawn([&] { EXPECT_TRUE(c.send(std::move(mine))); });
    EXPECT_EQ(**c.receive(), 7);
    sends.join();
  }
}

template <class Queue>
class queues : public testing::Test {};
using queue_classes = testing::Types<queue<int>, lifo_queue<int>, priority_queue<int>>;
TYPED_TEST_SUITE(queues, queue_classes);

TYPED_TEST(queues, are_given_up) {
  TypeParam q(1);
  expect_given_up("pop", [&](deadline by) { return q.pop(by).has_value(); });
  expect_given_up("peek", [&](deadline by) { return q.peek(by).has_value(); });
  expect_given_up("on_pop", [&](deadline by) { return select(on_pop(q, [](auto&&) {}), by).has_value(); });
  EXPECT_TRUE(testing_support::cancels([&] {
    for (const int v : q) ADD_FAILURE() << v;
  }));
  EXPECT_TRUE(q.try_push(1));
  expect_given_up("push", [&](deadline by) { return q.push(2, by); });
  expect_given_up("join", [&](deadline by) { return q.join(by); });
  EXPECT_EQ(q.size(), 1U);
  EXPECT_EQ(q.unfinished(), 1U);
  EXPECT_EQ(q.pop(0s), 1);
  EXPECT_EQ(q.try_pop(), std::nullopt);
  q.task_done();
  EXPECT_TRUE(q.join(0s));
}

TEST(cancelling, broadcast) {
  broadcast<int> b;
  auto mine = b.subscribe(1), other = b.subscribe(2);
  expect_given_up("receive", [&](deadline by) { return mine.receive(by).has_value(); });
  EXPECT_TRUE(b.publish(1, 0s));
  expect_given_up("publish", [&](deadline by) { return b.publish(2, by); });
  EXPECT_EQ(mine.try_receive(), 1);
  EXPECT_EQ(other.try_receive(), 1);
  EXPECT_TRUE(mine.empty() && other.empty()) << "nobody got it";
  EXPECT_TRUE(b.publish(3, 0s));
  EXPECT_EQ(mine.receive(0s), 3);
  EXPECT_EQ(other.receive(0s), 3);
}

TEST(cancelling, a_publisher_behind_another) {
  broadcast<int> b;
  auto mine = b.subscribe(1);
  EXPECT_TRUE(b.publish(1));
  const fiber first = spawn([&] { EXPECT_TRUE(b.publish(2)); });
  let_others_run();
  expect_given_up("publish", [&](deadline by) { return b.publish(3, by); });
  EXPECT_EQ(mine.receive(), 1);
  EXPECT_EQ(mine.receive(), 2);
  first.join();
  EXPECT_TRUE(mine.empty());
}

}  // namespace
}  // namespace weft
