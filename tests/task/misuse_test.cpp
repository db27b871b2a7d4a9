// SPDX-License-Identifier: MIT
// What the headers of fibers, groups, scopes and executors say of their misuse, as far as it is not in the tests of each class.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>

#include "weft/event.hpp"
#include "weft/fiber.hpp"
#include "weft/fiber_executor.hpp"
#include "weft/group.hpp"
#include "weft/pool.hpp"
#include "weft/scope.hpp"
#include "weft/thread_pool.hpp"

namespace weft {
namespace {

using namespace std::chrono_literals;

TEST(misuse, a_handle_of_no_fiber) {
  const fiber none;
  EXPECT_FALSE(none.joinable() || none.ready() || none.successful());
  EXPECT_FALSE(none.join() || none.kill());
  none.request_kill();
  EXPECT_EQ(none.exception(), nullptr);
  EXPECT_EQ(none.get_id(), 0U);
  EXPECT_EQ(none.name(), "");
  bool called = false;
  const fiber::link_id link = none.link([&](const fiber&) { called = true; });
  EXPECT_EQ(link, 0U);
  EXPECT_FALSE(none.unlink(link));
  fiber moved = spawn([] {});
  const fiber taken = std::move(moved);
  EXPECT_FALSE(moved.join());
  EXPECT_TRUE(taken.join());
  EXPECT_FALSE(called);
}

TEST(misuse, an_empty_function) {
  EXPECT_THROW(spawn(std::function<void()>()).get(), std::bad_function_call);
  group g;
  EXPECT_THROW(g.spawn(std::function<void()>()).get(), std::bad_function_call);
  fiber_executor e(1);
  EXPECT_THROW(e.submit(std::function<void()>()).get(), std::bad_function_call);
}

TEST(misuse, members_that_are_none) {
  group g;
  pool full(1), closed(0);
  EXPECT_FALSE(g.add(fiber()) || g.discard(fiber()) || g.contains(fiber()));
  const fiber ended = spawn([] {});
  ended.join();
  EXPECT_FALSE(g.add(ended) || full.add(ended));
  const fiber f = g.spawn([] { this_fiber::sleep_for(1h); });
  EXPECT_FALSE(g.add(f)) << "it is one";
  EXPECT_TRUE(full.add(f));
  EXPECT_FALSE(closed.try_spawn(1ms, [] {}).has_value()) << "no fiber ever gets in";
  EXPECT_TRUE(g.kill());
  EXPECT_TRUE(full.empty() && closed.empty());
}

// A template of threadsafe death tests: @p body runs in a process of its own.
#define EXPECT_ABORTS(body, message)                               \
  do {                                                             \
    GTEST_FLAG_SET(death_test_style, "threadsafe");                \
    EXPECT_DEATH(body(), message); /* NOLINT: goto in the macro */ \
  } while (false)

TEST(misuse_death_test, a_link_that_throws_ends_the_program) {
  EXPECT_ABORTS(
      [] {
        event never;
        spawn([] {}).link([](const fiber&) { throw std::runtime_error("in a link"); });
        never.wait();
      },
      "in a link");
}

template <class Pool>
void destroy_while_somebody_waits_for_its_members() {
  auto g = std::make_unique<Pool>();
  g->spawn([] { this_fiber::sleep_for(1h); });
  spawn([&] { g->join(); });
  for (int i = 0; i < 3; ++i) this_fiber::yield();
  g.reset();
}

TEST(misuse_death_test, a_group_or_pool_that_somebody_waits_for) {
  EXPECT_ABORTS(destroy_while_somebody_waits_for_its_members<group>, "is destroyed while");
  EXPECT_ABORTS(destroy_while_somebody_waits_for_its_members<pool>, "is destroyed while");
  EXPECT_ABORTS(
      [] {
        auto p = std::make_unique<pool>(0);
        spawn([&] { p->spawn([] {}); });
        for (int i = 0; i < 3; ++i) this_fiber::yield();
        p.reset();
      },
      "semaphore .* is destroyed while");
}

TEST(misuse_death_test, a_scope_destroyed_by_its_child) {
  EXPECT_ABORTS(
      [] {
        auto s = std::make_unique<scope>();
        s->run([&] { s->spawn([&] { s.reset(); }); });
      },
      "the scope .* is destroyed while");
}

template <class Executor>
void destroy_by_own_task() {
  auto e = std::make_unique<Executor>();
  event never;
  e->submit([&] { e.reset(); });
  never.wait();
}

TEST(misuse_death_test, an_executor_destroyed_by_its_task) {
  EXPECT_ABORTS(destroy_by_own_task<fiber_executor>, "the executor .* is destroyed while");
  EXPECT_ABORTS(destroy_by_own_task<thread_pool>, "the executor .* is destroyed while");
}

}  // namespace
}  // namespace weft
