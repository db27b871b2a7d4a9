// SPDX-License-Identifier: MIT
// What the headers of the sync classes say of their misuse, as far as it is not in the tests of each class.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sync/helpers.hpp"
#include "weft/broadcast.hpp"
#include "weft/channel.hpp"
#include "weft/condition_variable.hpp"
#include "weft/event.hpp"
#include "weft/once.hpp"
#include "weft/queue.hpp"
#include "weft/select.hpp"
#include "weft/task.hpp"
#include "weft/wait.hpp"

namespace weft {
namespace {

using namespace test;

TEST(misuse, a_channel_larger_than_memory) {
  using page = std::array<char, 4096>;
  EXPECT_THROW(channel<page>(std::numeric_limits<std::size_t>::max() / 4096), std::bad_alloc);
  EXPECT_THROW(channel<page>(std::numeric_limits<std::size_t>::max() - 1), std::bad_alloc);
}

TEST(misuse, a_subscription_to_nothing) {
  broadcast<int>::subscription none;
  EXPECT_TRUE(none.closed() && none.empty() && none.ready());
  EXPECT_EQ(none.receive(), std::nullopt);
  EXPECT_EQ(none.try_receive(), std::nullopt);
  EXPECT_EQ(none.dropped(), 0U);
  EXPECT_THROW(static_cast<void>(none.values()), std::logic_error);
  broadcast<int> b;
  auto mine = b.subscribe(1);
  const auto moved = std::move(mine);
  EXPECT_THROW(static_cast<void>(mine.values()), std::logic_error);  // NOLINT(bugprone-use-after-move)
}

TEST(misuse, publishing_to_nobody_and_behind_the_end) {
  broadcast<int> b;
  EXPECT_TRUE(b.publish(1));
  b.close();
  EXPECT_FALSE(b.publish(2));
}

TEST(misuse, one_condition_variable_with_several_locks) {
  mutex a, b;
  condition_variable changed;
  int woken = 0;
  const auto wait_with = [&](mutex& m) {
    std::unique_lock lock(m);
    changed.wait(lock);
    EXPECT_TRUE(lock.owns_lock());
    EXPECT_FALSE(m.try_lock()) << "it is held again";
    ++woken;
  };
  const fiber one = spawn([&] { wait_with(a); }), other = spawn([&] { wait_with(b); });
  let_others_run();
  changed.notify_all();
  one.join();
  other.join();
  EXPECT_EQ(woken, 2);
}

TEST(misuse, a_select_of_nothing_and_with_several_otherwises) {
  std::vector<select_case*> none;
  EXPECT_EQ(select(none, 1ms), std::nullopt);
  int done = 0;
  const auto which = select(otherwise([&] { ++done; }), otherwise([&] { ++done; }));
  EXPECT_TRUE(which == 0U || which == 1U);
  EXPECT_EQ(done, 1);
}

TEST(misuse, a_select_with_a_null_pointer_or_one_case_twice) {
  channel<int> c(1);
  ASSERT_TRUE(c.send(1));
  bool done = false;
  on_receive take(c, [&](std::optional<int>) { done = true; });
  std::vector<select_case*> cases{&take, nullptr};
  EXPECT_THROW(select(cases), std::invalid_argument);
  cases = {&take, &take};
  EXPECT_THROW(select(cases), std::invalid_argument);
  EXPECT_THROW(select(take, take), std::invalid_argument);
  EXPECT_FALSE(done);
  EXPECT_EQ(c.try_receive(), 1);
}

TEST(misuse, cases_that_are_used_again) {
  channel<std::string> c(1);
  std::vector<std::optional<std::string>> got;
  on_receive take(c, [&](std::optional<std::string> s) { got.push_back(std::move(s)); });
  const std::string kept = "kept";
  on_send give(c, kept, [](bool sent) { EXPECT_TRUE(sent); });
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(select(give), 0U);
    EXPECT_EQ(select(take), 0U);
  }
  c.close();
  EXPECT_EQ(select(take), 0U);
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0], "kept");
  EXPECT_NE(got[1], std::nullopt) << "what a move has left";
  EXPECT_EQ(got[2], std::nullopt) << "nothing of before";
}

TEST(misuse, a_case_with_an_empty_function) {
  channel<int> c(1);
  ASSERT_TRUE(c.send(1));
  EXPECT_THROW(select(on_receive(c, std::function<void(std::optional<int>)>())), std::bad_function_call);
  EXPECT_TRUE(c.empty()) << "it was done";
}

TEST(misuse, a_queue_that_is_shut_down_again) {
  queue<int> q;
  ASSERT_TRUE(q.push(1) && q.push(2));
  q.shutdown();
  q.shutdown();
  EXPECT_FALSE(q.push(3) || q.try_push(3));
  EXPECT_EQ(q.pop(), 1);
  q.task_done();
  q.shutdown(/*immediate=*/true);
  EXPECT_EQ(q.pop(), std::nullopt);
  EXPECT_EQ(q.try_pop(), std::nullopt);
  EXPECT_EQ(q.peek(), std::nullopt);
  EXPECT_TRUE(q.join());
}

TEST(misuse, waiting_for_nothing_for_the_same_twice_and_for_no_fiber) {
  std::vector<waitable_ref> objects;
  EXPECT_TRUE(wait(objects).empty());
  event e(true);
  objects = {e, e};
  EXPECT_EQ(wait(objects).size(), 2U);
  fiber none;
  objects = {none, e};
  EXPECT_EQ(wait(objects, 1).size(), 1U);
  EXPECT_EQ(wait(objects, 1ms).size(), 1U) << "it is never ready";
}

using misuse_death_test = testing::Test;

TEST(misuse_death_test, a_flag_that_somebody_waits_for) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        event never;
        auto flag = std::make_unique<once_flag>();
        spawn([&] { call_once(*flag, [&] { never.wait(); }); });
        let_others_run();
        spawn([&] { call_once(*flag, [] {}); });
        let_others_run();
        flag.reset();
      },
      "the once_flag .* is destroyed while");
}

TEST(misuse_death_test, a_broadcast_in_which_somebody_publishes) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        auto b = std::make_unique<broadcast<int>>();
        const auto slow = b->subscribe(1);
        spawn([&] {
          for (int i = 0; i < 2; ++i) b->publish(i);
        });
        let_others_run();
        b.reset();
      },
      "the broadcast .* is destroyed while");
}

TEST(misuse_death_test, a_comparison_that_throws) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  struct throwing {
    bool operator()(int, int) const { throw std::runtime_error("not comparable"); }
  };
  using broken = priority_queue<int, throwing>;
  EXPECT_DEATH(
      {
        broken q;
        static_cast<void>(q.push(1) && q.push(2));
      },
      "not comparable");
}

}  // namespace
}  // namespace weft
