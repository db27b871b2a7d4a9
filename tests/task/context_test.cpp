// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "weft/context_snapshot.hpp"
#include "weft/context_variable.hpp"
#include "weft/fiber.hpp"
#include "weft/offload.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

constinit context_variable<int> depth(0);
const context_variable<std::string> request("-");
const context_variable<std::shared_ptr<int>> shared;

TEST(context_variable, is_set_for_a_block) {
  EXPECT_EQ(*request, "-");
  {
    auto one = request.set("1");
    EXPECT_EQ(*request, "1");
    {
      auto two = request.set("2");
      auto other = depth.set(7);
      EXPECT_EQ(*request, "2");
      EXPECT_EQ(request->size(), 1U);
      EXPECT_EQ(depth.get(), 7);
    }
    EXPECT_EQ(*request, "1");
    EXPECT_EQ(depth.get(), 0);
  }
  EXPECT_EQ(*request, "-");
}

TEST(context_variable, children_inherit_and_change_only_their_own) {
  task<> child;
  {
    auto set = request.set("parent");
    child = spawn([] {
      EXPECT_EQ(*request, "parent") << "though the parent has left its block";
      auto mine = request.set("child");
      spawn([] { EXPECT_EQ(*request, "child"); }).get();
      this_fiber::yield();
      EXPECT_EQ(*request, "child");
    });
  }
  auto later = request.set("later");
  child.get();
  EXPECT_EQ(*request, "later");
}

TEST(context_variable, a_value_lives_as_long_as_somebody_sees_it) {
  const auto value = std::make_shared<int>(1);
  const task<> sleeper = [&] {
    auto set = shared.set(value);
    const task<> never_ran = spawn([] {});
    never_ran.kill();
    return spawn([] { this_fiber::sleep_for(1h); });
  }();
  this_fiber::yield();
  EXPECT_EQ(value.use_count(), 2);
  sleeper.kill();
  EXPECT_EQ(value.use_count(), 1);
}

TEST(context_variable, is_seen_on_another_hub_and_by_links) {
  auto set = request.set("here");
  std::thread([there = context_snapshot::current()] {
    EXPECT_EQ(*request, "-");
    there.run([] {
      EXPECT_EQ(*request, "here");
      spawn([] { EXPECT_EQ(*request, "here"); }).get();
    });
    EXPECT_EQ(*request, "-");
  }).join();
  std::string seen;
  const task<> t = spawn([] {});
  t.link([&](const fiber&) { seen = *request; });
  t.join();
  this_fiber::yield();
  EXPECT_EQ(seen, "here");
}

TEST(context_snapshot, runs_with_what_was_set_when_it_was_taken) {
  context_snapshot none, some;
  {
    auto set = depth.set(3);
    some = context_snapshot::current();
    EXPECT_EQ(none.run([] { return *depth; }), 0);
    EXPECT_EQ(*depth, 3);
  }
  const context_snapshot copy = some;
  EXPECT_EQ(copy.run([] {
    auto inner = depth.set(*depth + 1);
    return *depth;
  }),
            4);
  EXPECT_THROW(some.run([] { throw 1; }), int);
  EXPECT_EQ(*depth, 0);
  EXPECT_EQ(offload([&] { return copy.run([] { return *depth; }); }), 3);
}

TEST(context_snapshot, outlives_the_variable_and_leaves_nothing_when_moved) {
  const auto value = std::make_shared<int>(5);
  context_snapshot kept;
  {
    const context_variable<std::shared_ptr<int>> of_a_block;
    auto set = of_a_block.set(value);
    kept = context_snapshot::current();
  }
  EXPECT_EQ(value.use_count(), 2);
  const context_variable<std::shared_ptr<int>> another;
  EXPECT_EQ(kept.run([&] { return *another; }), nullptr) << "though it may lie where the first was";
  auto set = depth.set(3);
  const context_snapshot taken = std::move(kept);
  EXPECT_EQ(kept.run([] { return *depth; }), 0);  // NOLINT(bugprone-use-after-move)
  EXPECT_THROW(taken.run(std::function<void()>()), std::bad_function_call);
  EXPECT_EQ(*depth, 3);
}

TEST(context_variable_death, a_setting_that_ends_on_another_fiber) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        struct holder {
          context_variable<int>::setting set;
        };
        auto* mine = new holder{depth.set(1)};
        spawn([&] {
          auto own = depth.set(2);
          delete mine;
        }).join();
      },
      "or on another fiber");
}

TEST(context_variable_death, settings_that_end_in_the_wrong_order) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        using setting = context_variable<int>::setting;
        struct holder {
          setting set;
        };
        auto* first = new holder{depth.set(1)};
        auto second = depth.set(2);
        delete first;
      },
      "a setting of a context_variable ends before a later one");
}

}  // namespace
}  // namespace weft
