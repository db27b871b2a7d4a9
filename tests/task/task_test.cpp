// SPDX-License-Identifier: MIT
#include "weft/task.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <unordered_set>
#include <vector>

#include "core/hub.hpp"
#include "tests/core/other_hubs.hpp"
#include "tests/plain_threads.hpp"
#include "tests/task/reports.hpp"
#include "weft/fiber.hpp"
#include "weft/test_clock.hpp"
#include "weft/wait.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

// Counts its living copies.
struct counted {
  static inline std::atomic<int> living{0};
  int value;
  explicit counted(int v = 0) : value(v) { ++living; }
  counted(const counted& other) : value(other.value) { ++living; }
  ~counted() { --living; }
};

using testing_support::reports;

TEST(task, gives_the_result) {
  task<int> t = spawn([](int a, int b) { return a + b; }, 40, 2);
  EXPECT_FALSE(t.ready());
  EXPECT_FALSE(t.successful());
  EXPECT_EQ(t.get(), 42);
  EXPECT_EQ(t.get(), 42) << "as often as one likes";
  EXPECT_TRUE(t.ready());
  EXPECT_TRUE(t.successful());
  EXPECT_EQ(t.exception(), nullptr);
}

TEST(task, gives_results_of_any_kind) {
  int variable = 1;
  spawn([&]() -> int& { return variable; }).get() = 2;
  EXPECT_EQ(variable, 2);
  std::unique_ptr<int> moved = spawn([] { return std::make_unique<int>(3); }).get();
  EXPECT_EQ(*moved, 3);
  struct fixed {
    explicit fixed(int v) : value(v) {}
    fixed(const fixed&) = delete;
    int value;
  };
  const task<fixed> t = spawn([] { return fixed(4); });
  EXPECT_EQ(t.get().value, 4) << "neither copied nor moved";
  spawn([] {}).get();
  EXPECT_EQ(spawn([] { return std::string(1000, 'x'); }).get().size(), 1000u);
}

TEST(task, throws_what_ended_the_fiber_each_time) {
  const task<int> t = spawn([]() -> int { throw std::runtime_error("no"); });
  EXPECT_THROW(t.get(), std::runtime_error);
  EXPECT_THROW(t.get(), std::runtime_error);
  EXPECT_TRUE(t.ready());
  EXPECT_FALSE(t.successful());
  EXPECT_NE(t.exception(), nullptr);
}

TEST(task, get_of_none_of_itself_and_past_its_deadline) {
  WEFT_TEST_CLOCK(clock);
  const task<int> none;
  EXPECT_THROW(none.get(), std::system_error);
  task<> me;
  me = spawn([&] {
    EXPECT_THROW(me.get(), std::system_error);
    EXPECT_FALSE(me.join());
  });
  me.join();
  const task<> slow = spawn_after(1h, [] {});
  try {
    slow.get(1ms);
    ADD_FAILURE();
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::timed_out);
  }
  EXPECT_TRUE(slow.kill());
}

TEST(task, the_closure_goes_with_the_end_and_the_result_with_the_last_handle) {
  counted::living = 0;
  {
    task<counted> t = spawn([c = counted(1)] { return counted(c.value + 1); });
    EXPECT_EQ(counted::living, 1);
    t.join();
    EXPECT_EQ(counted::living, 1) << "the result";
    const task<counted> other = t;
    t = task<counted>();
    EXPECT_EQ(other.get().value, 2);
  }
  EXPECT_EQ(counted::living, 0);
  bool done = false;
  spawn([&] {
    done = true;
    return counted(1);
  });
  while (!done) this_fiber::yield();
  this_fiber::yield();
  EXPECT_EQ(counted::living, 0) << "nobody had a handle";
}

TEST(task, a_large_result_without_handles_is_freed_too) {
  struct large {
    counted c;
    char bytes[500] = {};
  };
  counted::living = 0;
  for (int i = 0; i < 50; ++i) spawn([] { return large{counted(), {}}; });
  spawn([] {}).join();
  EXPECT_EQ(counted::living, 0);
}

TEST(task, handles_that_go_on_another_thread_leave_nothing) {
  counted::living = 0;
  for (int i = 0; i < 300; ++i) {
    task<counted> t = spawn([] { return counted(1); });
    std::thread other([t] { EXPECT_TRUE(t.joinable()); });
    t = task<counted>();
    this_fiber::yield();
    other.join();
  }
  EXPECT_EQ(counted::living, 0);
}

TEST(task, a_plain_thread_joins_without_a_hub) {
  WEFT_NEEDS_PLAIN_THREADS();
  std::atomic<bool> go{false};
  const task<int> t = spawn([&] {
    while (!go) this_fiber::yield();
    return 7;
  });
  std::thread other([&] {
    EXPECT_FALSE(t.join(1ms));
    go = true;
    EXPECT_EQ(t.get(), 7);
    EXPECT_EQ(weft_this_hub, nullptr);
  });
  EXPECT_TRUE(t.join());
  other.join();
}

TEST(task, a_join_keeps_its_deadline_though_the_other_hub_is_blocked) {
  WEFT_NEEDS_PLAIN_THREADS();
  std::atomic<const task<>*> far{nullptr};
  std::atomic<bool> go{false};
  std::thread other([&] {
    const task<> t = spawn([] {});
    far = &t;
    while (!go) std::this_thread::yield();  // not this_fiber: the hub does not turn
    t.join();
    while (far != nullptr) std::this_thread::yield();
  });
  while (far == nullptr) std::this_thread::yield();
  EXPECT_FALSE(far.load()->join(1ms));
  go = true;
  EXPECT_TRUE(far.load()->join());
  far = nullptr;
  other.join();
}

TEST(task, is_a_key_and_has_a_name) {
  const task<> a = spawn({.name = "a name that is too long"}, [] {}), b = spawn([] {});
  EXPECT_EQ(a.name(), "a name that is ");
  EXPECT_EQ(b.name(), "");
  EXPECT_NE(a, b);
  const fiber copy = a;
  EXPECT_EQ(copy, a);
  std::unordered_set<fiber> set{a, b, copy};
  EXPECT_EQ(set.size(), 2u);
  EXPECT_EQ(std::set<fiber>({a, b, copy}).size(), 2u);
  join_all({a, b});
}

TEST(task, a_delayed_start) {
  WEFT_TEST_CLOCK(clock);
  std::string order;
  const task<> later = spawn_after(3ms, [&] { order += 'b'; });
  const task<> point = spawn({.start = weft::clock::now() + 6ms}, [&] { order += 'c'; });
  const task<> now = spawn({.start = 0s}, [&] { order += 'a'; });
  EXPECT_TRUE(join_all({later, point, now}));
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(clock.elapsed(), 6ms);
}

TEST(task, runs_on_the_hub_that_was_asked_for) {
  const test::other_hubs others(1);
  const hub there = others.hubs.front();
  for (int i = 0; i < 2'000; ++i) {
    EXPECT_EQ(spawn({.on = there}, [] { return hub::current(); }).get(), there);
  }
  const task<> delayed = spawn({.on = there, .start = 1ms}, [] {});
  EXPECT_TRUE(delayed.join());
}

TEST(task, a_failure_that_nobody_asked_for_is_reported_once) {
  const reports noted;
  auto fails = []() -> int { throw 1; };
  std::uint64_t id = 0;
  {
    const task<int> t = spawn(fails);
    id = t.get_id();
    const task<int> copy = t;
    t.join();
    EXPECT_EQ(noted.count(), 0) << "somebody may ask yet";
  }
  EXPECT_EQ(noted.count(), 1);
  EXPECT_EQ(noted.last(), id);
  spawn(fails);
  this_fiber::yield();
  EXPECT_EQ(noted.count(), 2) << "without a handle";
  EXPECT_THROW(spawn(fails).get(), int);
  {
    const task<int> t = spawn(fails);
    t.join();
    EXPECT_NE(t.exception(), nullptr);
  }
  EXPECT_EQ(noted.count(), 2);
}

TEST(task, the_report_on_standard_error) {
  testing::internal::CaptureStderr();
  spawn({.name = "reader"}, [] { throw std::runtime_error("no such page"); }).join();
  spawn([] { throw counted(); }).join();
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("'reader' has failed: no such page"), std::string::npos) << said;
  EXPECT_NE(said.find("counted"), std::string::npos) << said;
}

TEST(task, links_are_called_in_their_order_in_fibers_of_their_own) {
  std::string order;
  const task<> t = spawn([&] { order += 't'; });
  t.link([&](const fiber& f) {
    EXPECT_EQ(f, t);
    EXPECT_TRUE(f.ready());
    EXPECT_NE(this_fiber::get_id(), t.get_id());
    this_fiber::yield();
    order += '1';
  });
  t.link_value([&](const fiber&) { order += '2'; });
  t.link_exception([&](const fiber&) { order += '3'; });
  t.join();
  for (int i = 0; i < 4; ++i) this_fiber::yield();
  EXPECT_EQ(order, "t21");
  t.link([&](const fiber&) { order += '4'; });
  EXPECT_EQ(order, "t21") << "soon, not at once";
  this_fiber::yield();
  EXPECT_EQ(order, "t214");
}

TEST(task, a_failure_calls_the_links_for_failures) {
  const task<> t = spawn([] { throw std::runtime_error("no"); });
  int values = 0, failures = 0;
  t.link_value([&](const fiber&) { ++values; });
  t.link_exception([&](const fiber& f) { failures += f.exception() != nullptr ? 1 : 0; });
  t.join();
  this_fiber::yield();
  EXPECT_EQ(values, 0);
  EXPECT_EQ(failures, 1);
}

TEST(task, a_link_can_be_taken_back) {
  counted::living = 0;
  int called = 0;
  const task<> t = spawn([] {});
  const fiber::link_id first = t.link([&, c = counted()](const fiber&) { ++called; });
  t.link([&](const fiber&) { called += 10; });
  EXPECT_TRUE(t.unlink(first));
  EXPECT_EQ(counted::living, 0);
  EXPECT_FALSE(t.unlink(first));
  EXPECT_FALSE(t.unlink(12345));
  t.join();
  this_fiber::yield();
  EXPECT_EQ(called, 10);
  EXPECT_EQ(fiber().link([](const fiber&) {}), 0u);
  EXPECT_FALSE(fiber().unlink(0));
}

TEST(task, blocks_are_not_lost_when_another_hub_spawns_and_ends_many) {
  const test::other_hubs others(1);
  const hub there = others.hubs.front();
  std::set<const void*> blocks;
  for (int round = 0; round < 40; ++round) {
    std::vector<task<>> all;
    for (int i = 0; i < 100; ++i) all.push_back(spawn({.on = there}, [] {}));
    for (const task<>& t : all) {
      blocks.insert(t.block());
      t.join();
    }
  }
  EXPECT_LT(blocks.size(), 1'000u) << "of 4000 fibers";
}

TEST(idle, waits_until_nothing_else_is_ready_and_goes_by_priority) {
  std::string order;
  std::vector<task<>> all;
  auto waits = [&](char name, int priority) {
    all.push_back(spawn([&order, name, priority] {
      EXPECT_TRUE(this_fiber::idle(priority));
      order += name;
      this_fiber::yield();
      order += name;
    }));
  };
  waits('c', -1);
  waits('b', 0);
  waits('a', 1);
  all.push_back(spawn([&] {
    for (int i = 0; i < 3; ++i) {
      order += '-';
      this_fiber::yield();
    }
  }));
  EXPECT_TRUE(join_all(all));
  EXPECT_EQ(order, "---aabbcc");
}

TEST(idle, ends_at_its_deadline_and_by_a_kill) {
  bool stop = false;
  const task<> busy = spawn([&] {
    while (!stop) this_fiber::yield();
  });
  EXPECT_FALSE(this_fiber::idle(0, 1ms));
  const task<> waits = spawn([] { this_fiber::idle(); });
  this_fiber::yield();
  EXPECT_TRUE(waits.kill());
  stop = true;
  busy.join();
}

}  // namespace
}  // namespace weft
