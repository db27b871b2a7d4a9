// SPDX-License-Identifier: MIT
#include "loop/loop.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <list>
#include <set>
#include <thread>
#include <vector>

#include "base/clock.hpp"

namespace weft::loop {
namespace {

class loop : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(events.create()); }
  void TearDown() override { events.destroy(); }
  event_loop events;
};

TEST_F(loop, a_poll_does_not_wait) {
  events.run(false, 0);
  events.run(true, base::monotonic_ns() - 1);
}

TEST_F(loop, waits_for_a_near_point_and_for_a_far_one) {
  for (std::int64_t wait : {200'000, 3'000'000, 30'000'000}) {
    const std::int64_t until = base::monotonic_ns() + wait;
    // A run may end early, for an event of the loop's own; it may not end late without cause, nor spin.
    int runs = 0;
    while (base::monotonic_ns() < until) {
      events.run(true, until);
      ASSERT_LT(++runs, 10) << "for " << wait << " ns";
    }
  }
}

TEST_F(loop, a_wake_ends_the_next_wait) {
  events.wake();
  events.run(true, never);
}

TEST_F(loop, a_wake_from_another_thread_ends_a_wait) {
  std::thread other([&] { events.wake(); });
  events.run(true, never);
  other.join();
}

TEST_F(loop, a_wake_ends_one_wait_alone) {
  for (int i = 0; i < 3; ++i) {
    events.wake();
    events.wake();
    events.run(true, never);
    const std::int64_t until = base::monotonic_ns() + 1'000'000;
    int runs = 0;
    while (base::monotonic_ns() < until) {
      events.run(true, until);
      ASSERT_LT(++runs, 10);
    }
  }
}

TEST_F(loop, a_watcher_stays_armed_until_it_is_stopped) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  struct counting : io {
    int calls = 0;
  } watcher;
  watcher.set(ends[0], direction::read, [](io& w) noexcept { ++static_cast<counting&>(w).calls; });
  watcher.start(events.get());
  EXPECT_TRUE(watcher.active());
  EXPECT_EQ(watcher.fd(), ends[0]);

  events.run(false, 0);
  EXPECT_EQ(watcher.calls, 0);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  events.run(true, never);
  EXPECT_EQ(watcher.calls, 1);
  events.run(true, never);  // the byte lies there still
  EXPECT_EQ(watcher.calls, 2);

  watcher.stop(events.get());
  EXPECT_FALSE(watcher.active());
  events.run(false, 0);
  EXPECT_EQ(watcher.calls, 2);
  close(ends[0]);
  close(ends[1]);
}

// A pipe that has something to read, and a watcher of it that notes its turn.
struct ready_pipe : io {
  explicit ready_pipe(event_loop& in) : events(in) {
    EXPECT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    set(ends[0], direction::read, called, announced);
    start(events.get());
  }
  ~ready_pipe() {
    stop(events.get());
    close(ends[0]);
    close(ends[1]);
  }
  static void called(io& w) noexcept {
    auto& me = static_cast<ready_pipe&>(w);
    turns.push_back(&me);
    if (me.stops != nullptr) me.stops->stop(me.events.get());
  }
  static void announced(io& w, unsigned ahead) noexcept { static_cast<ready_pipe&>(w).heard.push_back(ahead); }

  event_loop& events;
  int ends[2] = {-1, -1};
  ready_pipe* stops = nullptr;
  std::vector<unsigned> heard;
  static inline std::vector<ready_pipe*> turns;
};

TEST_F(loop, calls_back_in_the_order_of_readiness_and_announces_each) {
  ready_pipe::turns.clear();
  ready_pipe a(events), b(events), c(events), d(events);
  events.run(false, 0);
  EXPECT_EQ(ready_pipe::turns, (std::vector<ready_pipe*>{&a, &b, &c, &d}));
  EXPECT_EQ(d.heard, (std::vector<unsigned>{3, 2, 1}));
}

TEST_F(loop, a_watcher_that_an_earlier_turn_stops_has_none) {
  ready_pipe::turns.clear();
  ready_pipe a(events), b(events), c(events);
  a.stops = &b;
  events.run(false, 0);
  EXPECT_EQ(ready_pipe::turns, (std::vector<ready_pipe*>{&a, &c}));
  b.start(events.get());
  events.run(false, 0);
  EXPECT_EQ(ready_pipe::turns.size(), 4u) << "a stops it again before its turn";
}

TEST_F(loop, more_turns_than_fit_at_first) {
  ready_pipe::turns.clear();
  std::list<ready_pipe> many;
  for (int i = 0; i < 200; ++i) many.emplace_back(events);
  while (ready_pipe::turns.size() < many.size()) events.run(false, 0);
  EXPECT_EQ(std::set<ready_pipe*>(ready_pipe::turns.begin(), ready_pipe::turns.begin() + 200).size(), 200u);
}

TEST_F(loop, its_own_descriptors_do_not_pass_an_exec) {
  int fds[2];
  const int count = events.own_fds(fds);
  ASSERT_GE(count, 1);
  for (int i = 0; i < count; ++i) EXPECT_EQ(fcntl(fds[i], F_GETFD), FD_CLOEXEC) << fds[i];
}

}  // namespace
}  // namespace weft::loop
