// SPDX-License-Identifier: MIT
// Of stream.hpp: the stages that begin, end and put off a stream by something outside, and the deadlines of its consumers.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "task/numbers.hpp"
#include "tests/core/cancelling.hpp"
#include "tests/plain_threads.hpp"
#include "weft/channel.hpp"
#include "weft/event.hpp"
#include "weft/run.hpp"
#include "weft/stream.hpp"
#include "weft/streams.hpp"
#include "weft/test_clock.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using std::vector;
using namespace test;

stream<int> endless() {
  return streams::generate([n = 0]() mutable { return std::optional(++n); });
}

// -- start_with

TEST(stream_start_with, puts_values_first_in_each_run) {
  const auto s = numbers(2).start_with(8, 9);
  EXPECT_EQ(s.collect(), (vector{8, 9, 1, 2}));
  EXPECT_EQ(s.collect(), (vector{8, 9, 1, 2}));
  EXPECT_EQ(numbers(2).start_with().collect(), (vector{1, 2}));
  EXPECT_EQ(streams::empty<int>().start_with(5).collect(), (vector{5}));
}

// -- take_until

TEST(stream_take_until, ends_when_the_object_is_ready) {
  event over;
  channel<int> c(8);
  auto run = streams::from(c).take_until(over).open();
  EXPECT_TRUE(c.send(1));
  EXPECT_EQ(run.next(), 1);
  EXPECT_EQ(run.next(0s), std::nullopt);
  EXPECT_FALSE(run.ended()) << "a deadline ends no run";
  const fiber setter = spawn([&] { over.set(); });
  EXPECT_EQ(run.next(), std::nullopt) << "a wait for a value ends";
  EXPECT_TRUE(run.ended());
  EXPECT_TRUE(c.send(2));
  EXPECT_EQ(c.try_receive(), 2) << "nobody has taken it";
}

TEST(stream_take_until, an_object_that_is_ready_lets_nothing_through) {
  event over;
  over.set();
  EXPECT_EQ(numbers(3).take_until(over).collect(), vector<int>());
  const fiber done = spawn([] {});
  done.join();
  EXPECT_EQ(numbers(3).take_until(done).collect(), vector<int>());
}

TEST(stream_take_until, ends_a_source_that_never_waits) {
  event over;
  EXPECT_FALSE(endless()
                   .tap([&](int i) {
                     if (i == 100) over.set();
                     this_fiber::yield();
                   })
                   .take_until(over)
                   .collect()
                   .empty());
}

TEST(stream_take_until, a_stream_that_ends_before_leaves_nobody_waiting) {
  event over;
  EXPECT_EQ(numbers(3).take_until(over).collect(), (vector{1, 2, 3}));
  EXPECT_TRUE(testing_support::cancels([&] { (void)streams::never<int>().take_until(over).collect(); }));
  EXPECT_EQ(streams::never<int>().take_until(over).first(1ms), std::nullopt);
}

TEST(stream_take_until, an_end_is_no_error) {
  event over;
  channel<int> quiet(0);
  const fiber setter = spawn([&] { over.set(); });
  int handled = 0;
  const auto s = streams::from(quiet).take_until(over).retry(3).on_error([&](auto&&) {
    ++handled;
    return numbers(1);
  });
  EXPECT_EQ(s.collect(), vector<int>());
  EXPECT_EQ(handled, 0);
}

TEST(stream_take_until, from_another_hub) {
  run({.hubs = 2}, [] {
    for (int i = 0; i < 50; ++i) {
      event over;
      channel<int> quiet(0);
      const fiber setter = spawn({.on = hubs()[1]}, [&] { over.set(); });
      EXPECT_EQ(streams::from(quiet).take_until(over).collect(), vector<int>());
      setter.join();
    }
  });
}

// -- delay

TEST(stream_delay, gives_each_value_so_much_later) {
  WEFT_TEST_CLOCK(clock);
  channel<int> c(8);
  for (int i : {1, 2, 3}) EXPECT_TRUE(c.send(i));
  auto run = streams::from(c).delay(1h).open();
  EXPECT_EQ(run.next(30min), std::nullopt) << "not yet";
  EXPECT_EQ(run.next(), 1);
  EXPECT_EQ(clock.elapsed(), 1h);
  EXPECT_EQ(run.next(), 2);
  EXPECT_EQ(run.next(), 3);
  EXPECT_EQ(clock.elapsed(), 1h) << "they came together";
  EXPECT_TRUE(c.send(4));
  c.close();
  EXPECT_EQ(run.next(), 4);
  EXPECT_EQ(clock.elapsed(), 2h);
  EXPECT_EQ(run.next(), std::nullopt);
  EXPECT_TRUE(run.ended());
}

TEST(stream_delay, takes_no_more_than_it_was_told_to) {
  WEFT_TEST_CLOCK(clock);
  std::atomic<int> made{0};
  auto run = endless().tap([&](int) { ++made; }).delay(1h, 3).open();
  EXPECT_EQ(run.next(), 1);
  EXPECT_LE(made, 7) << "three on their way, and what passes from hand to hand";
}

TEST(stream_delay, can_be_cancelled) {
  EXPECT_TRUE(testing_support::cancels([] { (void)numbers(3).delay(1h).collect(); }));
}

// -- consumers

TEST(stream_consumers, end_at_their_deadline) {
  WEFT_TEST_CLOCK(clock);
  channel<int> c(8), to(8);
  for (int i : {1, 2, 3, 4, 5}) EXPECT_TRUE(c.send(i));
  const auto s = streams::from(c);
  int seen = 0;
  EXPECT_FALSE(s.take(2).concat(streams::never<int>()).for_each([&](int i) { seen += i; }, 1ms));
  EXPECT_EQ(seen, 3);
  EXPECT_EQ(s.take(1).concat(streams::never<int>()).collect(1ms), (vector{3}));
  EXPECT_EQ(s.take(1).concat(streams::never<int>()).fold(1, std::plus<>(), 1ms), 5);
  EXPECT_FALSE(s.send_to(to, 1ms)) << "the source has not ended";
  EXPECT_EQ(to.try_receive(), 5);
  EXPECT_EQ(s.count(1ms), 0u);
}

TEST(stream_consumers, with_time_enough_they_come_to_the_end) {
  channel<int> to(8);
  EXPECT_TRUE(numbers(3).for_each([](int) {}, 1min));
  EXPECT_EQ(numbers(3).collect(1min), (vector{1, 2, 3}));
  EXPECT_EQ(numbers(3).fold(0, std::plus<>(), 1min), 6);
  EXPECT_EQ(numbers(3).count(1min), 3u);
  EXPECT_TRUE(numbers(3).send_to(to, 1min));
  EXPECT_EQ(to.size(), 3u);
}

// Their sources always have a value at once: no wait would ever be late.
TEST(stream_consumers, end_at_their_deadline_over_a_source_that_never_waits) {
  EXPECT_FALSE(endless().for_each([](int) {}, 1ms));
  EXPECT_GT(endless().count(1ms), 0u);
  EXPECT_EQ(endless().collect(0s), (vector{1})) << "what is there at once, but not without end";
  channel<int> full(1);
  EXPECT_FALSE(endless().send_to(full, 1ms)) << "nor for room";
  EXPECT_EQ(full.try_receive(), 1);
}

}  // namespace
}  // namespace weft
