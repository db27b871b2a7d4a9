// SPDX-License-Identifier: MIT
// What the headers of fibers, groups, scopes and executors say of their misuse, as far as it is not in the tests of each class.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

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
      "the pool .* is destroyed while");
}

TEST(misuse_death_test, a_scope_destroyed_by_its_child) {
  EXPECT_ABORTS(
      [] {
        auto s = std::make_unique<scope>();
        s->run([&] { s->spawn([&] { s.reset(); }); });
      },
      "the scope .* is destroyed while");
}

// Behind a task that waits until `go`: one more, for which the limit leaves no room, and what ends the executor's life.
template <class Executor, class End>
int count_tasks_around(Executor& e, End end) {
  std::atomic<int> ran{0};
  event given, go;
  e.limit(2);
  e.submit([&] {
    go.wait();
    ++ran;
  });
  future<int> ending = e.submit([&] {
    given.wait();
    go.set();
    end();
    return 5;
  });
  e.submit([&] { ++ran; });
  given.set();
  EXPECT_EQ(ending.get(), 5);
  return ran;
}

template <class Executor>
class executors : public testing::Test {};
using both = testing::Types<fiber_executor, thread_pool>;
TYPED_TEST_SUITE(executors, both);

TYPED_TEST(executors, destroyed_by_a_task_wait_for_the_others) {
  auto e = std::make_unique<TypeParam>();
  EXPECT_EQ(count_tasks_around(*e, [&] { e.reset(); }), 2);
}

// Where no worker can be made when the test says so.
class failing_executor final : public executor {
 public:
  failing_executor() : executor(1) {}
  ~failing_executor() override { finish(); }
  bool fails = false;

 private:
  void start_worker(detail::job& first) override {
    if (fails) throw std::runtime_error("no worker");
    spawn([this, &first] { work(first, 0); });
  }
  std::uint64_t caller() const noexcept override { return this_fiber::get_id(); }
};

TEST(misuse, a_raised_limit_without_means_for_another_worker) {
  failing_executor e;
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) e.submit([&order, i] { order.push_back(i); });
  e.fails = true;
  e.limit(3);
  EXPECT_TRUE(e.join());
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  e.limit(0);
  future<void> waiting = e.submit([] {});
  EXPECT_THROW(e.limit(1), std::runtime_error);
  EXPECT_THROW(waiting.get(), task_cancelled);
}

TEST(misuse, an_executor_destroyed_by_a_task_without_means_for_another_worker) {
  auto e = std::make_unique<failing_executor>();
  future<int> ending = e->submit([&] {
    e->fails = true;
    e.reset();
    return 5;
  });
  future<void> first = e->submit([] {}), second = e->submit([] {});
  EXPECT_EQ(ending.get(), 5);
  EXPECT_THROW(first.get(), task_cancelled);
  EXPECT_THROW(second.get(), task_cancelled);
}

// Behind the executor's end: what else exit does in a fiber, such as to look for leaks without main's stack, is none of ours.
struct end_of_process {
  ~end_of_process() { _exit(3); }
};

template <class Executor>
void exit_in_a_task() {
  static const end_of_process behind_it;
  static Executor e;
  count_tasks_around(e, [] { std::exit(1); });
}

TYPED_TEST(executors, of_static_storage_let_exit_be_called_in_a_task) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(exit_in_a_task<TypeParam>(), testing::ExitedWithCode(3), "");
}

TYPED_TEST(executors, destroyed_while_somebody_joins) {
  EXPECT_ABORTS(
      [] {
        auto e = std::make_unique<TypeParam>();
        event never;
        e->submit([&] { never.wait(); });
        spawn([&] { e->join(); });
        for (int i = 0; i < 3; ++i) this_fiber::yield();
        e.reset();
      },
      "the executor .* is destroyed while");
}

}  // namespace
}  // namespace weft
