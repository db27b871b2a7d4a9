// SPDX-License-Identifier: MIT
// The stages of streams that run fibers of their own, and the end of all of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "plain_order.hpp"
#include "task/numbers.hpp"
#include "tests/core/eventually.hpp"
#include "weft/cancelled.hpp"
#include "weft/channel.hpp"
#include "weft/event.hpp"
#include "weft/fiber.hpp"
#include "weft/no_limit.hpp"
#include "weft/run.hpp"
#include "weft/stream.hpp"
#include "weft/streams.hpp"
#include "weft/task_cancelled.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using std::vector;
using namespace test;

TEST(stream_fibers, merge_takes_values_as_they_come) {
  channel<int> a(1), b(1);
  auto run = streams::from(a).merge(streams::from(b)).open();
  EXPECT_TRUE(b.send(1));
  EXPECT_EQ(run.next(), 1);
  EXPECT_TRUE(a.send(2));
  EXPECT_EQ(run.next(), 2);
  EXPECT_EQ(run.next(0s), std::nullopt);
  a.close();
  EXPECT_TRUE(b.send(3));
  EXPECT_EQ(run.next(), 3);
  b.close();
  EXPECT_EQ(run.next(), std::nullopt);
  EXPECT_EQ(numbers(100).merge(numbers(100), numbers(100)).fold(0, std::plus<>()), 3 * 5050);
}

TEST(stream_fibers, one_that_fails_ends_all) {
  channel<int> quiet(0);
  const auto s = streams::from(quiet).merge(failing(1, std::make_shared<int>(1)));
  EXPECT_THROW((void)s.collect(), std::runtime_error);
  EXPECT_FALSE(quiet.try_send(1)) << "nobody receives there any more";
}

TEST(stream_fibers, prefetch_runs_ahead_by_so_much_and_no_more) {
  int made = 0;
  auto run = numbers(100).tap([&](int) { ++made; }).prefetch(3).open();
  EXPECT_EQ(run.next(), 1);
  settle();
  EXPECT_EQ(made, 5) << "one taken, three in store, one in hand";
  EXPECT_EQ(run.next(), 2);
  settle();
  EXPECT_EQ(made, 6);
}

TEST(stream_fibers, map_unordered_and_flat_map_work_on_several_at_once) {
  channel<int> gate(0);
  int inside = 0, most = 0;
  const auto slow = [&](int i) {
    most = std::max(most, ++inside);
    (void)gate.receive();
    --inside;
    return i;
  };
  const auto open_gate = [&] {
    return spawn([&] {
      for (int i = 0; i < 9; ++i) {
        settle();
        EXPECT_TRUE(gate.send(0));
      }
    });
  };
  const fiber f = open_gate();
  EXPECT_EQ(numbers(9).map_unordered(slow, 3).fold(0, std::plus<>()), 45);
  f.join();
  EXPECT_EQ(most, 3);
  most = 0;
  const fiber g = open_gate();
  EXPECT_EQ(numbers(9).flat_map([&](int i) { return streams::from(vector{i}).map(slow); }, 4).fold(0, std::plus<>()),
            45);
  g.join();
  EXPECT_EQ(most, 4);
}

TEST(stream_fibers, an_error_in_one_of_several) {
  const auto bad = [](int i) {
    if (i == 5) throw std::runtime_error("five");
    return i;
  };
  EXPECT_THROW((void)numbers(100).map_unordered(bad, 4).collect(), std::runtime_error);
  EXPECT_EQ(numbers(4).map_unordered(bad, 4).count(), 4u);
  const auto gives_up = [](int) -> int { throw cancelled(); };
  EXPECT_THROW((void)numbers(100).map_unordered(gives_up, 4).collect(), task_cancelled)
      << "the consumer is not cancelled";
}

TEST(stream_fibers, switch_map_follows_the_newest) {
  channel<int> choice(1), one(0), two(0);
  const auto s = streams::from(choice).switch_map([&](int i) { return streams::from(i == 1 ? one : two); });
  {
    auto run = s.open();
    EXPECT_TRUE(choice.send(1));
    settle();
    EXPECT_TRUE(one.try_send(10));
    EXPECT_EQ(run.next(), 10);
    EXPECT_TRUE(choice.send(2));
    settle();
    EXPECT_FALSE(one.try_send(11)) << "nobody follows it any more";
    EXPECT_TRUE(two.try_send(20));
    EXPECT_EQ(run.next(), 20);
    choice.close();
    settle();
    EXPECT_TRUE(two.try_send(21)) << "the last one is followed to its end";
    EXPECT_EQ(run.next(), 21);
  }
  EXPECT_FALSE(two.try_send(22)) << "ended with the run";
  two.close();
  EXPECT_EQ(s.count(), 0u);
  EXPECT_THROW((void)numbers(1).switch_map([](int) { return failing(0, std::make_shared<int>(1)); }).count(),
               std::runtime_error);
}

TEST(stream_fibers, combine_latest) {
  channel<int> a(0);
  channel<std::string> b(0);
  auto run = streams::from(a).combine_latest(streams::from(b)).open();
  using both = std::pair<int, std::string>;
  EXPECT_TRUE(a.send(1));
  EXPECT_EQ(run.next(0s), std::nullopt) << "only one side has a value";
  EXPECT_TRUE(b.send("x"));
  EXPECT_EQ(run.next(), (both{1, "x"}));
  EXPECT_TRUE(a.send(2));
  EXPECT_EQ(run.next(), (both{2, "x"}));
  a.close();
  EXPECT_TRUE(b.send("y"));
  EXPECT_EQ(run.next(), (both{2, "y"}));
  b.close();
  EXPECT_EQ(run.next(), std::nullopt);
  EXPECT_TRUE(run.ended());
}

TEST(stream_fibers, with_latest_from_two_that_never_wait) {
  WEFT_NEEDS_PLAIN_ORDER();
  EXPECT_EQ(numbers(3).with_latest_from(numbers(2)).collect(), (vector<std::pair<int, int>>{{1, 2}, {2, 2}, {3, 2}}));
}

TEST(stream_fibers, with_latest_from) {
  channel<int> values(0), others(0);
  auto run = streams::from(values).with_latest_from(streams::from(others)).open();
  EXPECT_TRUE(values.send(1));
  settle();
  EXPECT_EQ(run.next(0s), std::nullopt) << "the other has none yet";
  EXPECT_TRUE(others.send(10));
  settle();
  EXPECT_EQ(run.next(0s), std::nullopt) << "the other's values are for the next ones of this";
  EXPECT_TRUE(values.send(2));
  EXPECT_EQ(run.next(), (std::pair{2, 10}));
  others.close();
  EXPECT_TRUE(values.send(3));
  EXPECT_EQ(run.next(), (std::pair{3, 10})) << "its end changes nothing";
  values.close();
  EXPECT_EQ(run.next(), std::nullopt);
  EXPECT_TRUE(run.ended());

  channel<int> quiet(0);
  EXPECT_EQ(numbers(1).with_latest_from(streams::from(quiet)).count(), 0U);
  EXPECT_FALSE(quiet.try_send(1)) << "it was stopped with the first";
  const auto broken = streams::never<int>().with_latest_from(failing(1, std::make_shared<int>(1)));
  EXPECT_THROW((void)broken.collect(), std::runtime_error);
}

TEST(stream_fibers, group_by) {
  using sum = std::pair<bool, int>;
  const auto summed = [](const std::pair<bool, stream<int>>& g) {
    return sum(g.first, g.second.fold(0, std::plus<>()));
  };
  const auto is_odd = [](int i) { return i % 2 != 0; };
  for (const std::size_t ahead : {std::size_t{0}, std::size_t{3}}) {
    auto sums = numbers(10).group_by(is_odd, ahead).map_unordered(summed, 2).collect();
    std::sort(sums.begin(), sums.end());
    EXPECT_EQ(sums, (vector<sum>{{false, 30}, {true, 25}}));
  }
  // With room for all of them they may be read one after the other.
  EXPECT_EQ(numbers(4).group_by(is_odd, unbounded).map(summed).collect(), (vector<sum>{{true, 4}, {false, 6}}));
}

TEST(stream_fibers, a_group_that_is_let_go_of_begins_again_with_its_next_value) {
  auto run = numbers(6).group_by([](int i) { return i % 3; }).open();
  (void)run.next();  // of 1
  const auto of_two = run.next();
  EXPECT_EQ(of_two->second.first(), 2);
  const auto of_none = run.next();
  const fiber reader = spawn([&] { EXPECT_EQ(of_none->second.collect(), (vector{3, 6})); });
  const fiber reader_of_two = spawn([&] { EXPECT_EQ(of_two->second.collect(), (vector{5})); });
  const auto of_one = run.next();
  EXPECT_EQ(of_one->first, 1);
  EXPECT_EQ(of_one->second.collect(), (vector{4}));
  EXPECT_FALSE(run.next().has_value());
  reader.join();
  reader_of_two.join();
  EXPECT_EQ(of_two->second.collect(), vector<int>()) << "it is over";
}

TEST(stream_fibers, a_value_on_its_way_into_a_group_is_not_lost_when_that_is_let_go_of) {
  auto run = numbers(3).group_by([](int) { return 0; }).open();
  auto first = run.next();
  EXPECT_EQ(first->second.first(), 1);
  settle();
  first.reset();
  const auto second = run.next();
  EXPECT_EQ(second->second.collect(), (vector{2, 3}));
}

TEST(stream_fibers, a_group_that_is_let_go_of_leaves_no_key) {
  const vector<std::shared_ptr<int>> keys = {std::make_shared<int>(0), std::make_shared<int>(1)};
  int i = 0;
  auto run = streams::generate([&] { return std::optional(++i); }).group_by([&](int n) { return keys[n < 2]; }).open();
  auto first = run.next();
  EXPECT_EQ(first->second.first(), 1);
  const auto endless = run.next();
  first.reset();
  auto values = endless->second.open();
  EXPECT_EQ(values.next(), 2);
  EXPECT_EQ(values.next(), 3);
  EXPECT_EQ(keys[1].use_count(), 1) << "nobody has it but this test";
}

TEST(stream_fibers, groups_fail_with_their_source_and_end_with_their_run) {
  const auto same_group = [](int) { return 0; };
  auto run = failing(2, std::make_shared<int>(1)).group_by(same_group, 2).open();
  const auto group = run.next();
  auto values = group->second.open();
  EXPECT_EQ(values.next(), 1);
  EXPECT_EQ(values.next(), 2);
  EXPECT_THROW((void)values.next(), std::runtime_error);
  EXPECT_THROW((void)run.next(), std::runtime_error);

  std::optional<stream<int>> left;
  {
    auto endless = streams::generate([] { return std::optional(7); }).group_by(same_group).open();
    left = endless.next()->second;
    EXPECT_EQ(left->first(), 7);
  }
  left->count();  // what had come, and no more
}

// Over a source that never waits.
TEST(stream_fibers, stages_that_drop_all_values_can_be_cancelled_and_are_late_in_time) {
  using recipe = std::function<stream<int>(const stream<int>&)>;
  const recipe all[] = {
      [](auto& s) { return s.filter([](int) { return false; }); },
      [](auto& s) { return s.skip(no_limit); },
      [](auto& s) { return s.skip_while([](int) { return true; }); },
      [](auto& s) { return s.distinct().skip(1); },
      [](auto& s) { return s.distinct_until_changed().skip(1); },
      [](auto& s) { return s.debounce(1h); },
      [](auto& s) { return s.throttle(1h).skip(1); },
      [](auto& s) { return s.sample(1h); },
      [](auto& s) { return s.window(no_limit).skip(1).flat_map([](const stream<int>& w) { return w; }); },
      [](auto& s) { return s.with_latest_from(streams::never<int>()).map([](const auto& p) { return p.first; }); },
      [](auto& s) {
        return s.group_by([](int) { return 0; }).map([](const auto& g) { return g.first; }).skip(no_limit);
      },
  };
  const stream<int> endless = streams::generate([] { return std::optional(1); });
  for (const recipe& make : all) {
    auto run = make(endless).open();
    EXPECT_EQ(run.next(1ms), std::nullopt) << &make - all;
    EXPECT_FALSE(run.ended()) << &make - all;
    const fiber consumer = spawn([&] { (void)make(endless).count(); });
    settle();
    EXPECT_TRUE(consumer.kill(60s)) << &make - all;
  }
}

// A value that notices when it changes while another thread copies it.
class fragile {
 public:
  static constexpr int last = 50;
  struct maker {
    std::atomic<int> made = 0;
    std::atomic<std::thread::id> thread;
  };

  fragile(int n, maker* by) : n_(n), by_(by) {}
  fragile(const fragile& other) : n_(other.n_), by_(other.by_) {
    ++other.readers_;
    // Until a newer one is about to take its place, and for a while more.
    if (by_ != nullptr && by_->thread.load() != std::this_thread::get_id()) {
      while (by_->made == n_ && n_ != last) std::this_thread::yield();
      for (int i = 0; i < 50; ++i) std::this_thread::yield();
    }
    --other.readers_;
  }
  fragile(fragile&& other) noexcept : n_(other.n_), by_(other.by_) { other.check(); }
  fragile& operator=(fragile&& other) noexcept {
    check();
    other.check();
    n_ = other.n_;
    by_ = other.by_;
    return *this;
  }
  ~fragile() { check(); }
  int number() const { return n_; }
  static inline std::atomic<bool> torn = false;

 private:
  void check() const noexcept {
    if (readers_ != 0) torn = true;
  }
  int n_;
  maker* by_;
  mutable std::atomic<int> readers_ = 0;
};

TEST(stream_fibers, combine_latest_over_several_hubs) {
  event both_begun;
  const auto side = [&](fragile::maker* by) {
    return streams::generate([&both_begun, by, n = 0]() mutable -> std::optional<fragile> {
      if (n == fragile::last) return std::nullopt;
      if (by == nullptr) {
        both_begun.set();
      } else {
        if (n == 1) both_begun.wait();
        by->thread = std::this_thread::get_id();
        by->made = n + 1;
      }
      return fragile(++n, by);
    });
  };
  fragile::maker left;
  std::pair<int, int> before(1, 1);
  weft::run({.hubs = 3}, [&] {
    side(&left).combine_latest(side(nullptr)).for_each([&](const std::pair<fragile, fragile>& p) {
      const std::pair now(p.first.number(), p.second.number());
      EXPECT_TRUE(now.first >= before.first && now.second >= before.second) << "a pair was overtaken by a newer one";
      before = now;
    });
  });
  EXPECT_EQ(before, std::pair(fragile::last, fragile::last));
  EXPECT_FALSE(fragile::torn) << "a value changed while it was copied";
}

// Each stage that waits, cancelled where it waits: its source is let go.
TEST(stream_fibers, every_stage_can_be_cancelled) {
  using recipe = std::function<stream<int>(const stream<int>&)>;
  const auto same = [](int i) { return i; };
  const auto inner = [](int) { return streams::never<int>(); };
  const recipe all[] = {
      [&](auto& s) { return s.map(same); },
      [](auto& s) { return s.filter([](int) { return true; }); },
      [](auto& s) { return s.tap([](int) {}); },
      [](auto& s) { return s.scan(0, std::plus<>()); },
      [](auto& s) { return s.take(1); },
      [](auto& s) { return s.skip(1).distinct().distinct_until_changed(); },
      [](auto& s) { return s.take_while([](int) { return true; }); },
      [](auto& s) { return s.skip_while([](int) { return true; }); },
      [](auto& s) { return s.buffer(2).map([](const vector<int>& v) { return v.front(); }); },
      [](auto& s) { return s.buffer(2, 1h).map([](const vector<int>& v) { return v.front(); }); },
      [](auto& s) { return s.window(2).flat_map([](const stream<int>& w) { return w; }); },
      [](auto& s) { return numbers(1).take(0).concat(s); },
      [](auto& s) { return s.repeat(3); },
      [](auto& s) { return s.merge(streams::never<int>()); },
      [](auto& s) { return numbers(5).zip(s).map([](const auto& p) { return p.second; }); },
      [](auto& s) { return s.combine_latest(s).map([](const auto& p) { return p.second; }); },
      [](auto& s) { return s.with_latest_from(s).map([](const auto& p) { return p.second; }); },
      [](auto& s) { return s.group_by([](int i) { return i; }).flat_map([](const auto& g) { return g.second; }, 2); },
      [](auto& s) { return s.window(2, 1h).flat_map([](const stream<int>& w) { return w; }); },
      [](auto& s) { return s.prefetch(2); },
      [&](auto& s) { return s.map_unordered(same, 2); },
      [&](auto& s) { return s.flat_map(inner, 2); },
      [&](auto& s) { return s.flat_map(inner); },
      [&](auto& s) { return s.switch_map(inner); },
      [](auto& s) { return s.debounce(1h); },
      [](auto& s) { return s.throttle(1h); },
      [](auto& s) { return s.sample(1h); },
      [](auto& s) { return s.timeout(1h); },
      [](auto& s) { return s.retry(3, 1h); },
      [&](auto& s) { return s.on_error([&](auto&&) { return streams::empty<int>(); }); },
      [](auto&) { return streams::interval(1h).map([](auto) { return 1; }); },
      [](auto& s) { return streams::create<int>([s](auto& emit) { s.for_each(emit); }); },
  };
  for (const recipe& make : all) {
    channel<int> quiet(0);
    bool finished = false;
    const fiber consumer = spawn([&] {
      (void)make(streams::from(quiet)).collect();
      finished = true;
    });
    settle();
    EXPECT_TRUE(consumer.kill(60s)) << &make - all;
    EXPECT_FALSE(finished) << &make - all;
    EXPECT_FALSE(quiet.try_send(1)) << &make - all;
  }
}

// A run may be consumed on another hub than the one where it was opened.
TEST(stream_fibers, a_run_can_be_handed_to_another_thread) {
  auto run = numbers(200).map_unordered([](int i) { return i; }, 3).prefetch(4).open();
  int sum = 0;
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (const auto value = run.next()) sum += *value;
    done = true;
  });
  while (!done) this_fiber::yield();
  other.join();
  EXPECT_EQ(sum, 200 * 201 / 2);
}

TEST(stream_fibers, who_stops_early_has_stopped_everything) {
  channel<int> quiet(0), endless(0);
  bool unwound = false;
  struct notes {
    bool& at;
    ~notes() { at = true; }
  };
  const fiber feeder = spawn([&] {
    for (int i = 0; endless.send(int{i}); ++i) {
    }
  });
  {
    auto run = streams::from(quiet)
                   .tap([](int) {})
                   .merge(streams::from(endless).map([&](int i) {
                     const notes n{unwound};
                     if (i == 3) (void)quiet.receive();
                     return i;
                   }))
                   .prefetch(1)
                   .open();
    EXPECT_EQ(run.next(), 0);
    settle();
    unwound = false;
  }
  EXPECT_TRUE(unwound) << "cancelled, and waited for";
  EXPECT_FALSE(quiet.try_send(1));
  endless.close();
  feeder.join();
}

TEST(stream_fibers, a_cancelled_consumer_ends_the_run) {
  channel<int> quiet(0);
  const fiber consumer = spawn([&] { (void)streams::from(quiet).prefetch(2).merge(streams::never<int>()).collect(); });
  settle();
  consumer.kill();
  consumer.join();
  EXPECT_FALSE(quiet.try_send(1));
  // And so without fibers in between, through the stages that catch errors.
  int tried = 0;
  const fiber plain = spawn([&] {
    (void)streams::from(quiet)
        .tap([](int) {})
        .retry(100)
        .on_error([&](auto&&) {
          ++tried;
          return streams::empty<int>();
        })
        .collect();
  });
  settle();
  plain.kill();
  plain.join();
  EXPECT_EQ(tried, 0);
  EXPECT_FALSE(quiet.try_send(1));
}

TEST(stream_fibers, create_is_for_those_who_push) {
  int made = 0;
  const auto s = streams::create<int>([&](auto& emit) {
    for (int i = 1; i < 1000; ++i) {
      made = i;
      emit(i);
    }
  });
  EXPECT_EQ(s.take(3).collect(), (vector{1, 2, 3}));
  EXPECT_LE(made, 4) << "it waits for who consumes";
  EXPECT_EQ(s.count(), 999u);
  EXPECT_THROW((void)streams::create<int>([](auto&) { throw std::runtime_error("body"); }).count(), std::runtime_error);
}

}  // namespace
}  // namespace weft
