// SPDX-License-Identifier: MIT
#include "weft/group.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/core/cancelling.hpp"
#include "tests/plain_threads.hpp"
#include "weft/event.hpp"
#include "weft/hub.hpp"
#include "weft/run.hpp"
#include "weft/shield.hpp"
#include "weft/test_clock.hpp"
#include "weft/wait.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using testing_support::cancels;
using testing_support::sleep_long;

TEST(group, joins_all_that_were_spawned) {
  group g;
  int sum = 0;
  for (int i = 0; i < 10; ++i) {
    g.spawn([&sum, i] {
      this_fiber::yield();
      sum += i;
    });
  }
  EXPECT_EQ(g.size(), 10U);
  EXPECT_TRUE(g.join());
  EXPECT_EQ(sum, 45);
  EXPECT_TRUE(g.empty());
  EXPECT_TRUE(g.join()) << "an empty one at once";
}

TEST(group, a_member_gives_its_result) {
  group g;
  EXPECT_EQ(g.spawn([](int a) { return a + 1; }, 4).get(), 5);
  EXPECT_EQ(g.spawn({.name = "named"}, [] { return 1; }).name(), "named");
  g.join();
}

TEST(group, join_ends_at_its_deadline_and_by_a_cancellation) {
  WEFT_TEST_CLOCK(clock);
  group g;
  g.spawn(sleep_long);
  EXPECT_FALSE(g.join(1ms));
  EXPECT_TRUE(cancels([&] { g.join(); }));
  EXPECT_EQ(g.size(), 1U);
  EXPECT_TRUE(g.kill());
}

TEST(group, kill_ends_all_and_waits) {
  group g;
  int unwound = 0;
  struct counting {
    int* count;
    ~counting() { ++*count; }
  };
  for (int i = 0; i < 5; ++i) {
    g.spawn([&unwound] {
      const counting at_end{&unwound};
      sleep_long();
    });
  }
  this_fiber::yield();
  EXPECT_TRUE(g.kill());
  EXPECT_EQ(unwound, 5);
  EXPECT_TRUE(g.kill()) << "again it does nothing";
}

TEST(group, one_that_has_not_begun_never_runs) {
  group g;
  bool ran = false;
  g.spawn([&ran] { ran = true; });
  EXPECT_TRUE(g.kill());
  EXPECT_FALSE(ran);
}

TEST(group, kill_with_an_exception_of_choice) {
  group g;
  const auto t = g.spawn(sleep_long);
  this_fiber::yield();
  EXPECT_TRUE(g.kill(std::make_exception_ptr(std::domain_error("out"))));
  EXPECT_FALSE(t.successful());
  EXPECT_THROW(t.get(), std::domain_error);
}

TEST(group, kill_meets_those_that_come_meanwhile_and_each_once) {
  group g;
  int caught = 0;
  g.spawn([&] {
    try {
      sleep_long();
    } catch (const cancelled&) {
      ++caught;
      g.spawn(sleep_long);
      this_fiber::yield();  // a second kill would come here
      throw;
    }
  });
  this_fiber::yield();
  EXPECT_TRUE(g.kill());
  EXPECT_EQ(caught, 1);
  EXPECT_TRUE(g.empty());
}

TEST(group, kill_gives_up_on_one_that_goes_on) {
  WEFT_TEST_CLOCK(clock);
  group g;
  event leave;
  g.spawn([&] {
    const shield guard;
    leave.wait();
  });
  this_fiber::yield();
  EXPECT_FALSE(g.kill(1ms));
  EXPECT_TRUE(cancels([&] { g.kill(); }));
  EXPECT_EQ(g.size(), 1U);
  leave.set();
  EXPECT_TRUE(g.join());
}

TEST(group, a_member_that_joins_or_kills_its_group) {
  group g;
  bool joined = true, killed = false, others = false;
  g.spawn([&] {
    joined = g.join();
    killed = g.kill();
    others = g.size() == 1;
  });
  g.spawn(sleep_long);
  EXPECT_TRUE(g.join());
  EXPECT_FALSE(joined) << "it would wait for itself";
  EXPECT_TRUE(killed);
  EXPECT_TRUE(others) << "it was spared";
}

TEST(group, add_discard_and_contains) {
  group g;
  const fiber sleeper = spawn(sleep_long);
  EXPECT_TRUE(g.add(sleeper));
  EXPECT_FALSE(g.add(sleeper)) << "it is one already";
  EXPECT_FALSE(g.add(fiber()));
  EXPECT_TRUE(g.contains(sleeper));
  EXPECT_EQ(g.fibers(), std::vector<fiber>{sleeper});
  EXPECT_TRUE(g.discard(sleeper));
  EXPECT_FALSE(g.discard(sleeper));
  EXPECT_FALSE(g.contains(sleeper));
  EXPECT_TRUE(g.join());
  EXPECT_TRUE(sleeper.kill());
  EXPECT_FALSE(g.add(sleeper)) << "it has ended";
  EXPECT_FALSE(g.contains(fiber()));
}

TEST(group, the_failure_of_a_member_is_rethrown_where_that_is_asked_for) {
  WEFT_TEST_CLOCK(clock);
  group g;
  g.spawn([] {});
  const auto failing = g.spawn([] { throw std::domain_error("x"); });
  EXPECT_THROW(g.join_and_rethrow(), std::domain_error);
  g.spawn([] {});
  EXPECT_TRUE(g.join_and_rethrow());
  g.spawn(sleep_long);
  EXPECT_FALSE(g.join_and_rethrow(1ms));
  g.kill();
}

TEST(group, destroyed_early_it_lets_go) {
  fiber f;
  {
    group g;
    f = g.spawn(sleep_long);
    this_fiber::yield();
  }
  EXPECT_FALSE(f.ready());
  EXPECT_TRUE(f.kill());
}

TEST(group, members_on_several_hubs) {
  group g;
  std::atomic<int> ended{0};
  std::vector<std::thread> hubs;
  hubs.reserve(3);
  for (int t = 0; t < 3; ++t) {
    hubs.emplace_back([&] {
      std::vector<fiber> mine;
      for (int i = 0; i < 100; ++i) {
        mine.push_back(g.spawn([&ended, i] {
          if (i % 2 == 0) this_fiber::yield();
          ++ended;
        }));
        if (i % 10 == 0) this_fiber::yield();
      }
      for (const fiber& f : mine) f.join();
    });
  }
  for (int i = 0; i < 50; ++i) {
    g.join(1ms);
    g.fibers();
  }
  for (auto& h : hubs) h.join();
  EXPECT_TRUE(g.join());
  EXPECT_EQ(ended, 300);
}

// Who finds a new member in the group may be faster than its spawn: for the sanitizers to see that this touches it no more.
TEST(group, members_are_killed_and_let_go_of_while_others_spawn) {
  run({.hubs = 2}, [] {
    group g;
    std::atomic<bool> stop{false};
    const task<> other = spawn({.on = hubs()[1]}, [&] {
      for (bool kill = false; !stop; kill = !kill) {
        if (kill) g.request_kill();
        for (const fiber& f : g.fibers()) g.discard(f);
        this_fiber::yield();
      }
    });
    std::vector<task<>> all;
    for (int i = 0; i < 3000; ++i) {
      all.push_back(g.spawn({.on = hubs()[static_cast<std::size_t>(i % 2)]}, [] { this_fiber::yield(); }));
      if (i % 10 == 0) this_fiber::yield();
    }
    join_all(all);
    stop = true;
    other.join();
    EXPECT_TRUE(g.empty());
  });
}

// A fiber that is a member once, however many add it.
TEST(group, a_member_is_added_by_one_of_several_hubs) {
  run({.hubs = 3}, [] {
    for (int round = 0; round < 300; ++round) {
      group g;
      std::atomic<int> added{0};
      event leave;
      const task<> member = spawn({.on = hubs()[0]}, [&] { leave.wait(); });
      std::vector<task<>> adding;
      for (const hub h : hubs()) adding.push_back(spawn({.on = h}, [&] { added += g.add(member) ? 1 : 0; }));
      join_all(adding);
      EXPECT_EQ(added, 1);
      EXPECT_EQ(g.size(), 1U);
      leave.set();
      EXPECT_TRUE(g.join());
    }
  });
}

TEST(group, a_plain_thread_joins) {
  group g;
  event leave;
  for (int i = 0; i < 3; ++i) g.spawn([&] { leave.wait(); });
  std::atomic<bool> joined{false};
  std::thread plain([&] {
    g.join();
    joined = true;
  });
  this_fiber::idle();
  leave.set();
  while (!joined) this_fiber::yield();
  plain.join();
}

TEST(group, a_cancelled_apply_or_map_has_ended_its_fibers) {
  group g;
  int begun = 0, unwound = 0;
  const auto body = [&](int) {
    struct counting {
      int& count;
      ~counting() { ++count; }
    } at_end{unwound};
    ++begun;
    sleep_long();
  };
  EXPECT_TRUE(cancels([&] { g.apply(body, 1); }));
  EXPECT_TRUE(g.empty());
  EXPECT_TRUE(cancels([&] { g.map(body, std::vector<int>{1, 2, 3}); }));
  EXPECT_TRUE(g.empty());
  EXPECT_EQ(unwound, begun);
}

TEST(group, a_map_that_is_late_has_ended_its_fibers) {
  WEFT_TEST_CLOCK(clock);
  group g;
  int unwound = 0;
  const auto body = [&](int n) {
    struct counting {
      int& count;
      ~counting() { ++count; }
    } at_end{unwound};
    if (n != 0) sleep_long();
    return n;
  };
  try {
    g.map(body, std::vector<int>{0, 1, 2}, 1min);
    ADD_FAILURE();
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::timed_out);
  }
  EXPECT_EQ(clock.elapsed(), 1min);
  EXPECT_TRUE(g.empty());
  EXPECT_EQ(unwound, 3);
  EXPECT_THROW(g.map([](int) { sleep_long(); }, std::vector<int>{1}, 0s), std::system_error) << "of nothing, too";
  EXPECT_EQ(g.map([](int n) { return -n; }, std::vector<int>{1, 2}, 1min), (std::vector<int>{-1, -2}));
  EXPECT_EQ(g.map([](int n) { return n; }, std::vector<int>{}, 1min), std::vector<int>{});
}

TEST(group, a_kill_of_results_tells_that_it_is_late) {
  WEFT_TEST_CLOCK(clock);
  group g;
  event go_on;
  auto results = g.imap(
      [&](int n) {
        const shield stubborn;
        go_on.wait();
        return n;
      },
      std::vector<int>{1, 2}, 2);
  this_fiber::sleep_for(1s);  // both have begun
  EXPECT_FALSE(results.kill(1s));
  EXPECT_EQ(clock.elapsed(), 2s);
  go_on.set();
  EXPECT_TRUE(results.kill());
  EXPECT_EQ(results.next(), 1) << "what it had come to";
  EXPECT_EQ(results.next(), 2);
  EXPECT_EQ(results.next(), std::nullopt);
  EXPECT_TRUE(results.done());
}

TEST(group, results_that_were_killed_come_to_their_end) {
  const std::vector<int> numbers{0, 1, 2, 3, 4};
  auto read = [](auto results, event& third) {
    EXPECT_EQ(results.next(), 0);
    third.wait();
    results.kill();
    for (int killed = 0; killed < 2; ++killed) EXPECT_THROW(results.next(), task_cancelled);
    EXPECT_EQ(results.next(), std::nullopt) << "the rest has not begun";
    EXPECT_TRUE(results.done());
    results.kill();
    EXPECT_EQ(results.next(), std::nullopt) << "killed twice";
  };
  group g;
  for (const bool ordered : {true, false}) {
    event third;
    auto body = [&third](int n) {
      if (n == 2) third.set();
      if (n != 0) sleep_long();
      return n;
    };
    if (ordered) {
      read(g.imap(body, numbers, 2), third);
    } else {
      read(g.imap_unordered(body, numbers, 2), third);
    }
  }
  auto at_once = g.imap([](int n) { return n; }, numbers, 2);
  at_once.kill();
  EXPECT_EQ(at_once.next(), std::nullopt);
}

TEST(group, maps_as_a_pool_without_a_limit) {
  group g;
  EXPECT_EQ(g.map([](int n) { return n * n; }, std::vector<int>{1, 2, 3}), (std::vector<int>{1, 4, 9}));
  EXPECT_EQ(g.apply([](int n) { return n; }, 3), 3);
}

}  // namespace
}  // namespace weft
