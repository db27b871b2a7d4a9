// SPDX-License-Identifier: MIT
#include "loop/loop.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "base/clock.hpp"

namespace weft::loop {
namespace {

class loop : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(events_.create()); }
  void TearDown() override { events_.destroy(); }
  event_loop events_;
};

TEST_F(loop, a_poll_does_not_wait) {
  events_.run(false, 0);
  events_.run(true, base::monotonic_ns() - 1);
}

TEST_F(loop, waits_for_a_near_point_and_for_a_far_one) {
  for (std::int64_t wait : {200'000, 3'000'000, 30'000'000}) {
    const std::int64_t until = base::monotonic_ns() + wait;
    // A run may end early, for an event of the loop's own; it may not end late without cause, nor spin.
    int runs = 0;
    while (base::monotonic_ns() < until) {
      events_.run(true, until);
      ASSERT_LT(++runs, 10) << "for " << wait << " ns";
    }
  }
}

TEST_F(loop, a_wake_ends_the_next_wait) {
  events_.wake();
  events_.run(true, never);
}

TEST_F(loop, a_wake_from_another_thread_ends_a_wait) {
  std::thread other([&] { events_.wake(); });
  events_.run(true, never);
  other.join();
}

TEST_F(loop, a_watcher_stays_armed_until_it_is_stopped) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  struct counting : io {
    int calls = 0;
  } watcher;
  watcher.set(ends[0], direction::read, [](io& w) noexcept { ++static_cast<counting&>(w).calls; });
  watcher.start(events_.get());
  EXPECT_TRUE(watcher.active());
  EXPECT_EQ(watcher.fd(), ends[0]);

  events_.run(false, 0);
  EXPECT_EQ(watcher.calls, 0);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  events_.run(true, never);
  EXPECT_EQ(watcher.calls, 1);
  events_.run(true, never);  // the byte lies there still
  EXPECT_EQ(watcher.calls, 2);

  watcher.stop(events_.get());
  EXPECT_FALSE(watcher.active());
  events_.run(false, 0);
  EXPECT_EQ(watcher.calls, 2);
  close(ends[0]);
  close(ends[1]);
}

TEST_F(loop, its_own_descriptors_do_not_pass_an_exec) {
  int fds[2];
  const int count = events_.own_fds(fds);
  ASSERT_GE(count, 1);
  for (int i = 0; i < count; ++i) EXPECT_EQ(fcntl(fds[i], F_GETFD), FD_CLOEXEC) << fds[i];
}

}  // namespace
}  // namespace weft::loop
