// SPDX-License-Identifier: MIT
// Cases of gevent's tests of waiting (test__event, test__semaphore, test__queue) that stand with no single class.
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "sync/helpers.hpp"
#include "tests/plain_threads.hpp"
#include "weft/channel.hpp"
#include "weft/event.hpp"
#include "weft/future.hpp"
#include "weft/queue.hpp"
#include "weft/semaphore.hpp"
#include "weft/test_clock.hpp"
#include "weft/wait.hpp"

namespace weft {
namespace {

using namespace test;

// Its issue 771: who is woken by a set, and clears, is not told of that same set when it waits anew.
TEST(gevent_cases, a_wait_behind_a_clear_is_not_ended_by_the_set_before) {
  WEFT_TEST_CLOCK(clock);
  event e;
  std::array<waitable_ref, 1> all{e};
  const fiber waiter = spawn([&] {
    const fiber setter = spawn([&] { e.set(); });
    EXPECT_EQ(wait(all).size(), 1u);
    EXPECT_TRUE(setter.join(60s));
    e.clear();
    EXPECT_TRUE(wait(all, 1ms).empty());
    EXPECT_FALSE(e.wait(0s));
  });
  EXPECT_TRUE(waiter.join(60s));
}

// Events and results that come one by one: all, one, or two of them are waited for.
TEST(gevent_cases, wait_for_some_of_many) {
  for (const std::size_t wanted : {std::size_t{1}, std::size_t{2}, std::size_t{10}}) {
    std::array<event, 5> events;
    std::array<promise<int>, 5> promises;
    std::vector<future<int>> results;
    results.reserve(promises.size());
    for (auto& p : promises) results.push_back(p.get_future());
    std::vector<waitable_ref> all(events.begin(), events.end());
    all.insert(all.end(), results.begin(), results.end());
    std::size_t sent = 0;
    const fiber sender = spawn([&] {
      for (std::size_t i = 0; i < 5; ++i) {
        let_others_run();
        events[i].set();
        ++sent;
        let_others_run();
        promises[i].set_value(1);
        ++sent;
      }
    });
    EXPECT_EQ(wait(all, wanted).size(), wanted);
    EXPECT_EQ(sent, wanted) << "and no longer than that";
    EXPECT_TRUE(sender.join(60s));
  }
}

// Its issue 1287.
TEST(gevent_cases, a_semaphore_that_nobody_has_acquired_is_ready) {
  binary_semaphore s(1);
  std::array<waitable_ref, 1> all{s};
  EXPECT_EQ(wait(all, 0s).size(), 1u);
  EXPECT_EQ(s.available(), 1);
}

// The exact order of a rendezvous, seen from either side.
TEST(gevent_cases, a_sender_goes_on_behind_its_receiver) {
  channel<std::string> c(0);
  std::vector<std::string> events;
  const fiber receiver = spawn([&] {
    events.push_back(*c.receive());
    events.push_back(*c.receive());
  });
  events.emplace_back("sending");
  EXPECT_TRUE(c.send("hello"));
  EXPECT_TRUE(c.send("world"));
  EXPECT_TRUE(receiver.join(60s));
  EXPECT_EQ(events, (std::vector<std::string>{"sending", "hello", "world"}));
}

TEST(gevent_cases, a_sender_that_waits_is_served_in_turn) {
  channel<int> c(0);
  std::vector<std::string> events;
  const fiber sender = spawn([&] {
    events.emplace_back("sending 1");
    EXPECT_TRUE(c.send(1));
    events.emplace_back("sending 2");
    EXPECT_TRUE(c.send(2));
    events.emplace_back("sent 2");
  });
  events.emplace_back("waiting");
  EXPECT_EQ(c.receive(), 1);
  EXPECT_EQ(c.receive(), 2);
  EXPECT_TRUE(sender.join(60s));
  EXPECT_EQ(events, (std::vector<std::string>{"waiting", "sending 1", "sending 2", "sent 2"}));
}

// Trying must work where nothing may wait, and serve those who wait: here on a thread without a hub.
TEST(gevent_cases, trying_from_a_thread_without_a_hub_serves_who_waits) {
  queue<int> full(1), empty;
  EXPECT_TRUE(full.push(1));
  const fiber pusher = spawn([&] { EXPECT_TRUE(full.push(2)); });
  std::optional<int> got;
  const fiber popper = spawn([&] { got = empty.pop(); });
  let_others_run();
  std::thread([&] {
    EXPECT_EQ(full.try_pop(), 1);
    EXPECT_TRUE(empty.try_push(3));
  }).join();
  EXPECT_TRUE(pusher.join(60s));
  EXPECT_TRUE(popper.join(60s));
  EXPECT_EQ(got, 3);
  EXPECT_TRUE(full.full() && empty.empty());
}

TEST(gevent_cases, a_peek_waits_for_the_first_value_and_leaves_it) {
  WEFT_TEST_CLOCK(clock);
  queue<int> q;
  EXPECT_EQ(q.peek(1ms), std::nullopt);
  std::optional<int> seen;
  const fiber peeker = spawn([&] { seen = q.peek(); });
  let_others_run();
  EXPECT_TRUE(q.push(1));
  EXPECT_TRUE(peeker.join(60s));
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(q.peek(), 1);
  EXPECT_EQ(q.size(), 1u);
}

}  // namespace
}  // namespace weft
