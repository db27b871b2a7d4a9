// SPDX-License-Identifier: MIT
#include "weft/stream.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <iterator>
#include <list>
#include <memory>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "task/numbers.hpp"
#include "tests/plain_threads.hpp"
#include "weft/broadcast.hpp"
#include "weft/queue.hpp"
#include "weft/streams.hpp"
#include "weft/test_clock.hpp"
#include "weft/timeout.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using std::vector;
using namespace test;

static_assert(std::ranges::input_range<stream_run<int>&>);
static_assert(std::copyable<stream<int>> && !std::copyable<stream_run<int>> && std::movable<stream_run<int>>);

TEST(stream, stages_do_what_their_names_say) {
  EXPECT_EQ(numbers(4).map([](int i) { return std::to_string(i); }).collect(),
            (vector<std::string>{"1", "2", "3", "4"}));
  EXPECT_EQ(numbers(6).filter([](int i) { return i % 2 == 0; }).collect(), (vector{2, 4, 6}));
  EXPECT_EQ(numbers(5).take(2).collect(), (vector{1, 2}));
  EXPECT_EQ(numbers(5).take(0).collect(), vector<int>());
  EXPECT_EQ(numbers(5).skip(3).collect(), (vector{4, 5}));
  EXPECT_EQ(numbers(5).take_while([](int i) { return i != 3; }).collect(), (vector{1, 2}));
  EXPECT_EQ(numbers(5).skip_while([](int i) { return i % 3 != 0; }).collect(), (vector{3, 4, 5}));
  EXPECT_EQ(numbers(4).scan(10, std::plus<>()).collect(), (vector{11, 13, 16, 20}));
  EXPECT_EQ(streams::from(vector{1, 1, 2, 1, 2, 2}).distinct().collect(), (vector{1, 2}));
  EXPECT_EQ(streams::from(vector{1, 1, 2, 1, 2, 2}).distinct_until_changed().collect(), (vector{1, 2, 1, 2}));
  EXPECT_EQ(numbers(2).concat(numbers(3)).collect(), (vector{1, 2, 1, 2, 3}));
  EXPECT_EQ(numbers(3).flat_map([](int i) { return numbers(i); }).collect(), (vector{1, 1, 2, 1, 2, 3}));
  int seen = 0;
  EXPECT_EQ(numbers(3).tap([&](int i) { seen += i; }).count(), 3u);
  EXPECT_EQ(seen, 6);
}

TEST(stream, consumers) {
  WEFT_TEST_CLOCK(clock);
  int sum = 0;
  numbers(4).for_each([&](int i) { sum += i; });
  EXPECT_EQ(sum, 10);
  EXPECT_EQ(numbers(5).fold(1, std::multiplies<>()), 120);
  EXPECT_EQ(numbers(5).first(), 1);
  EXPECT_EQ(streams::empty<int>().first(), std::nullopt);
  EXPECT_EQ(streams::never<int>().first(1ms), std::nullopt);
  channel<int> c(8);
  EXPECT_TRUE(numbers(3).send_to(c));
  c.close();
  EXPECT_FALSE(numbers(3).send_to(c));
  EXPECT_EQ(streams::from(c).collect(), (vector{1, 2, 3}));
}

TEST(stream, a_run_is_a_range_and_can_be_left) {
  int sum = 0;
  for (int i : numbers(1000).open()) {
    if (i > 4) break;
    sum += i;
  }
  EXPECT_EQ(sum, 10);
  auto run = numbers(1).open();
  EXPECT_EQ(run.next(), 1);
  EXPECT_FALSE(run.ended());
  EXPECT_EQ(run.next(), std::nullopt);
  EXPECT_TRUE(run.ended());
  EXPECT_EQ(run.next(), std::nullopt);
}

TEST(stream, is_a_recipe_and_each_run_begins_anew) {
  int made = 0;
  const auto s = streams::from(vector{1, 2, 3}).tap([&](int) { ++made; }).scan(0, std::plus<>()).skip(1);
  EXPECT_EQ(made, 0) << "nobody has asked yet";
  EXPECT_EQ(s.collect(), (vector{3, 6}));
  EXPECT_EQ(s.collect(), (vector{3, 6}));
  auto one = s.open(), two = s.open();
  EXPECT_EQ(one.next(), 3);
  EXPECT_EQ(two.next(), 3);
  EXPECT_EQ(one.next(), 6);
}

TEST(stream, nothing_runs_ahead_of_its_consumer) {
  int made = 0;
  auto run = numbers(100).tap([&](int) { ++made; }).map([](int i) { return 2 * i; }).take(50).open();
  EXPECT_EQ(run.next(), 2);
  EXPECT_EQ(made, 1);
  EXPECT_EQ(run.next(), 4);
  EXPECT_EQ(made, 2);
}

TEST(stream, what_comes_before_is_stopped_as_soon_as_nothing_more_is_wanted) {
  const auto token = std::make_shared<int>();
  const auto source =
      streams::defer([token] { return streams::generate([token, n = 0]() mutable { return std::optional(++n); }); });
  const long idle = token.use_count();
  auto run = source.take(2).open();
  EXPECT_EQ(run.next(), 1);
  EXPECT_GT(token.use_count(), idle);
  EXPECT_EQ(run.next(), 2);
  EXPECT_EQ(token.use_count(), idle) << "with the last value, before the end is asked for";
}

TEST(stream, values_may_be_moved_only) {
  vector<std::unique_ptr<int>> owners;
  for (int i = 1; i <= 3; ++i) owners.push_back(std::make_unique<int>(i));
  const auto s = streams::from(std::move(owners)).filter([](const auto& p) { return *p != 2; });
  int sum = 0;
  for (auto& p : s.open()) sum += *p;
  EXPECT_EQ(sum, 4);
  EXPECT_THROW((void)s.collect(), std::logic_error) << "they are gone";
}

TEST(stream, sources) {
  WEFT_TEST_CLOCK(clock);
  const std::list<int> kept{1, 2};
  EXPECT_EQ(streams::from(kept).collect(), (vector{1, 2}));
  struct single_pass {  // as a generator's range is
    std::istream_iterator<int> begin() { return std::istream_iterator<int>(*text); }
    static std::istream_iterator<int> end() { return {}; }
    std::istringstream* text;
  };
  std::istringstream text("7 8");
  const auto once = streams::from(single_pass{&text});
  EXPECT_EQ(once.collect(), (vector{7, 8}));
  EXPECT_THROW((void)once.open().next(), std::logic_error);
  EXPECT_EQ(streams::generate([n = 0]() mutable { return ++n < 4 ? std::optional(n) : std::nullopt; }).collect(),
            (vector{1, 2, 3}));
  const auto ticks = streams::interval(100us).take(3).collect();
  ASSERT_EQ(ticks.size(), 3u);
  EXPECT_TRUE(ticks[0] < ticks[1] && ticks[1] < ticks[2]);
}

TEST(stream, sources_that_values_are_taken_from) {
  broadcast<int> b(4);
  EXPECT_TRUE(b.publish(5));
  auto mine = b.subscribe(4);
  auto kept = streams::from(b.subscribe(4)).open();
  EXPECT_EQ(kept.next(), 5);
  EXPECT_EQ(kept.next(0s), std::nullopt);
  EXPECT_FALSE(kept.ended());
  EXPECT_EQ(b.subscribers(), 2u);
  EXPECT_TRUE(b.publish(6));
  b.close();
  EXPECT_EQ(streams::from(mine).collect(), (vector{5, 6}));
  EXPECT_EQ(kept.next(), 6);
  EXPECT_EQ(kept.next(), std::nullopt);
  EXPECT_TRUE(kept.ended());
  priority_queue<int> q;
  for (int i : {2, 3, 1}) EXPECT_TRUE(q.push(i));
  EXPECT_EQ(streams::from(q).take(1).collect(), (vector{3}));
  q.shutdown();
  EXPECT_EQ(streams::from(q).collect(), (vector{2, 1}));
}

TEST(stream, interval_skips_what_nobody_was_there_for) {
  WEFT_TEST_CLOCK(clock);
  auto run = streams::interval(1ms).open();
  const deadline later = 5ms;
  this_fiber::sleep_until(later);
  EXPECT_GE(run.next(), 4u);
  EXPECT_EQ(streams::interval(1h).first(0s), std::nullopt);
}

TEST(stream, a_period_that_is_none) {
  WEFT_TEST_CLOCK(clock);
  for (const auto period : {0ms, -1ms}) {
    EXPECT_THROW((void)streams::interval(period), std::invalid_argument);
    EXPECT_THROW((void)numbers(1).sample(period), std::invalid_argument);
  }
}

// -- errors

TEST(stream_errors, travel_to_the_consumer_and_end_the_run) {
  auto run = numbers(5)
                 .map([](int i) {
                   if (i == 3) throw std::runtime_error("three");
                   return i;
                 })
                 .filter([](int) { return true; })
                 .open();
  EXPECT_EQ(run.next(), 1);
  EXPECT_EQ(run.next(), 2);
  EXPECT_THROW((void)run.next(), std::runtime_error);
  EXPECT_TRUE(run.ended());
  EXPECT_EQ(run.next(), std::nullopt);
  EXPECT_THROW((void)streams::fail<int>(std::make_exception_ptr(5)).collect(), int);
}

TEST(stream_errors, retry_begins_anew) {
  WEFT_TEST_CLOCK(clock);
  EXPECT_EQ(failing(2, std::make_shared<int>(2)).retry(2).take(4).collect(), (vector{1, 2, 1, 2}));
  EXPECT_EQ(failing(2, std::make_shared<int>(2)).retry(2).take(7).collect(), (vector{1, 2, 1, 2, 1, 2, 3}));
  EXPECT_THROW((void)failing(2, std::make_shared<int>(3)).retry(2).collect(), std::runtime_error);
  EXPECT_EQ(failing(0, std::make_shared<int>(5)).retry(5, 100us).first(), 1);
}

TEST(stream_errors, on_error_goes_on_with_something_else) {
  std::string what;
  const auto instead = [&](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::runtime_error& e) {
      what = e.what();
    }
    return numbers(2);
  };
  EXPECT_EQ(failing(1, std::make_shared<int>(1)).on_error(instead).collect(), (vector{1, 1, 2}));
  EXPECT_EQ(what, "source");
  EXPECT_THROW((void)failing(1, std::make_shared<int>(9))
                   .on_error([](auto&&) { return failing(0, std::make_shared<int>(1)); })
                   .collect(),
               std::runtime_error)
      << "once only";
}

TEST(stream_errors, what_is_meant_for_the_consumer_passes) {
  WEFT_TEST_CLOCK(clock);
  channel<int> quiet(0);
  int handled = 0;
  const auto patient = streams::from(quiet).retry(100).on_error([&](auto&&) {
    ++handled;
    return streams::empty<int>();
  });
  timeout limit(2ms);
  EXPECT_THROW((void)patient.collect(), timeout_expired);
  EXPECT_FALSE(within(2ms, [&] { (void)patient.prefetch(1).collect(); }));
  EXPECT_EQ(handled, 0);
  EXPECT_FALSE(quiet.try_send(1));
}

TEST(stream_errors, misuse) {
  EXPECT_THROW((void)numbers(1).buffer(0), std::invalid_argument);
  EXPECT_THROW((void)numbers(1).window(0), std::invalid_argument);
  EXPECT_THROW((void)numbers(1).map_unordered([](int i) { return i; }, 0), std::invalid_argument);
  EXPECT_THROW(stream<int>(nullptr), std::invalid_argument);
  stream<int> one = numbers(1);
  const stream<int> taken = std::move(one);
  EXPECT_THROW((void)one.open(), std::logic_error);  // NOLINT(bugprone-use-after-move): that is the misuse
  EXPECT_THROW((void)one.map([](int i) { return i; }).collect(), std::logic_error);
  EXPECT_EQ(taken.count(), 1U);
}

// -- several values together

TEST(stream, buffer_makes_lists) {
  WEFT_TEST_CLOCK(clock);
  EXPECT_EQ(numbers(5).buffer(2).collect(), (vector<vector<int>>{{1, 2}, {3, 4}, {5}}));
  EXPECT_EQ(streams::empty<int>().buffer(2).count(), 0u);
  channel<int> c(8);
  for (int i : {1, 2, 3}) EXPECT_TRUE(c.send(i));
  auto run = streams::from(c).buffer(10, 1ms).open();
  EXPECT_EQ(run.next(), (vector{1, 2, 3})) << "its time was over";
  EXPECT_EQ(run.next(0s), std::nullopt) << "no list without a value";
  EXPECT_TRUE(c.send(4));
  c.close();
  EXPECT_EQ(run.next(), (vector{4}));
}

TEST(stream, window_makes_streams) {
  EXPECT_EQ(numbers(5).window(2).map([](const stream<int>& w) { return w.fold(0, std::plus<>()); }).collect(),
            (vector{3, 7, 5}));
  auto run = numbers(7).window(3).open();
  const stream<int> first = *run.next();
  EXPECT_EQ(first.first(), 1);
  const stream<int> second = *run.next();
  EXPECT_EQ(first.collect(), vector<int>()) << "it is over";
  EXPECT_EQ(second.collect(), (vector{4, 5, 6}));
  EXPECT_EQ(run.next()->collect(), (vector{7}));
  EXPECT_FALSE(run.next().has_value());
}

TEST(stream, window_ends_at_its_time) {
  WEFT_TEST_CLOCK(clock);
  channel<int> c(8);
  auto run = streams::from(c).window(3, 1ms).open();
  EXPECT_TRUE(c.send(1));
  const stream<int> first = *run.next();
  EXPECT_EQ(first.collect(), (vector{1})) << "nothing more came in time";
  EXPECT_EQ(run.next(0s), std::nullopt) << "no window without a value";
  for (int i : {2, 3, 4, 5}) EXPECT_TRUE(c.send(i));
  c.close();
  const stream<int> second = *run.next();
  this_fiber::sleep_for(2ms);
  EXPECT_EQ(second.collect(), (vector{2})) << "what comes later is the next one's";
  EXPECT_EQ(run.next()->first(), 3);
}

TEST(stream, repeat_begins_anew_at_the_end) {
  EXPECT_EQ(numbers(2).repeat(2).collect(), (vector{1, 2, 1, 2, 1, 2}));
  EXPECT_EQ(numbers(2).repeat(0).collect(), (vector{1, 2}));
  EXPECT_EQ(streams::empty<int>().repeat(9).count(), 0u);
}

TEST(stream, zip_pairs) {
  const auto s = numbers(3).zip(numbers(5).map([](int i) { return std::to_string(i); }));
  EXPECT_EQ(s.collect(), (vector<std::pair<int, std::string>>{{1, "1"}, {2, "2"}, {3, "3"}}));
  channel<int> slow(1);
  auto run = numbers(3).zip(streams::from(slow)).open();
  EXPECT_EQ(run.next(0s), std::nullopt);
  EXPECT_FALSE(run.ended());
  EXPECT_TRUE(slow.send(9));
  EXPECT_EQ(run.next(), (std::pair{1, 9})) << "the first half was kept";
}

// -- time

TEST(stream_time, debounce_waits_for_silence) {
  WEFT_TEST_CLOCK(clock);
  channel<int> c(8);
  for (int i : {1, 2, 3}) EXPECT_TRUE(c.send(i));
  auto run = streams::from(c).debounce(30ms).open();
  EXPECT_EQ(run.next(0s), std::nullopt) << "not yet";
  EXPECT_EQ(run.next(), 3);
  for (int i : {4, 5}) EXPECT_TRUE(c.send(i));
  c.close();
  EXPECT_EQ(run.next(), 5) << "the end needs no silence";
  EXPECT_EQ(run.next(), std::nullopt);
}

TEST(stream_time, throttle_lets_one_through_and_then_pauses) {
  WEFT_TEST_CLOCK(clock);
  EXPECT_EQ(numbers(9).throttle(1h).collect(), (vector{1}));
  EXPECT_EQ(numbers(3).throttle(0s).collect(), (vector{1, 2, 3}));
  channel<int> c(8);
  auto run = streams::from(c).throttle(1ms).open();
  EXPECT_TRUE(c.send(1));
  EXPECT_EQ(run.next(), 1);
  const deadline over = 1ms;
  EXPECT_EQ(run.next(over), std::nullopt);
  EXPECT_TRUE(c.send(2));
  EXPECT_EQ(run.next(), 2);
}

TEST(stream_time, sample_gives_the_last_of_each_period) {
  WEFT_TEST_CLOCK(clock);
  EXPECT_EQ(numbers(9).sample(1h).collect(), (vector{9})) << "at the end what is left";
  channel<int> c(8);
  for (int i : {1, 2}) EXPECT_TRUE(c.send(i));
  auto run = streams::from(c).sample(5ms).open();
  EXPECT_EQ(run.next(), 2);
  EXPECT_EQ(run.next(6ms), std::nullopt) << "a period without a value";
  EXPECT_TRUE(c.send(3));
  EXPECT_EQ(run.next(), 3);
  c.close();
  EXPECT_EQ(run.next(), std::nullopt);
  EXPECT_TRUE(run.ended());
}

TEST(stream_time, timeout_fails_when_nothing_comes) {
  WEFT_TEST_CLOCK(clock);
  channel<int> c(1);
  auto run = streams::from(c).timeout(30ms).open();
  EXPECT_TRUE(c.send(1));
  EXPECT_EQ(run.next(), 1);
  EXPECT_EQ(run.next(0s), std::nullopt) << "the consumer's own deadline is no failure";
  try {
    (void)run.next();
    FAIL();
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::timed_out);
  }
  EXPECT_TRUE(run.ended());
  EXPECT_EQ(numbers(3).timeout(1h).count(), 3u);
}

TEST(stream_time, a_deadline_ends_no_run) {
  channel<int> c(8);
  auto run = streams::from(c)
                 .map([](int i) { return 2 * i; })
                 .filter([](int i) { return i != 4; })
                 .skip(1)
                 .take(2)
                 .scan(0, std::plus<>())
                 .buffer(2)
                 .open();
  vector<vector<int>> got;
  for (int i = 1; i <= 5; ++i) {
    EXPECT_EQ(run.next(0s), std::nullopt);
    EXPECT_FALSE(run.ended());
    EXPECT_TRUE(c.send(i));
    if (i < 4) continue;
    got.push_back(*run.next());
    break;
  }
  EXPECT_EQ(got, (vector<vector<int>>{{6, 14}}));
}

}  // namespace
}  // namespace weft
