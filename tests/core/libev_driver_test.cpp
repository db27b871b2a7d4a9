// SPDX-License-Identifier: MIT
#include "weft/libev_driver.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <system_error>

#include "tests/plain_threads.hpp"
#include "weft/cancelled.hpp"
#include "weft/event.hpp"
#include "weft/fiber.hpp"
#include "weft/io.hpp"

namespace weft {
namespace {

using namespace std::chrono_literals;

// A loop of the program's own, by its own copy of libev.
class libev_drivers : public testing::Test {
 protected:
  void TearDown() override { ev_loop_destroy(loop); }
  void stop() const { ev_break(loop, EVBREAK_ALL); }
  struct ev_loop* loop = ev_loop_new(EVFLAG_AUTO);
};

struct counted_timer {
  ev_timer timer;
  int calls = 0;
};
void count_call(struct ev_loop*, ev_timer* w, int) { ++static_cast<counted_timer*>(w->data)->calls; }

TEST_F(libev_drivers, run_fibers_beside_the_loops_own_watchers) {
  WEFT_NEEDS_PLAIN_THREADS();
  const libev_driver driver(loop);
  counted_timer every_ms;
  ev_timer_init(&every_ms.timer, count_call, 0.001, 0.001);
  every_ms.timer.data = &every_ms;
  ev_timer_start(loop, &every_ms.timer);
  int naps = 0;
  const task<> sleeper = spawn([&] {
    while (naps < 5 || every_ms.calls < 5) {
      this_fiber::sleep_for(1ms);
      ++naps;
    }
    stop();
  });
  ev_run(loop, 0);
  EXPECT_TRUE(sleeper.ready());
  EXPECT_GE(every_ms.calls, 5);
  ev_timer_stop(loop, &every_ms.timer);
}

TEST_F(libev_drivers, a_descriptor_that_a_fiber_waits_for_wakes_the_loop) {
  const libev_driver driver(loop);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  bool read = false;
  const task<> reader = spawn([&] {
    read = wait_readable(ends[0]);
    stop();
  });
  // Comes while the loop sleeps.
  counted_timer once;
  ev_timer_init(
      &once.timer, [](struct ev_loop*, ev_timer* w, int) { EXPECT_EQ(write(*static_cast<int*>(w->data), "x", 1), 1); },
      0.001, 0.);
  once.timer.data = &ends[1];
  ev_timer_start(loop, &once.timer);
  ev_run(loop, 0);
  EXPECT_TRUE(read);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(libev_drivers, a_callback_readies_a_fiber) {
  const libev_driver driver(loop);
  event rung;
  const task<> waiter = spawn([&] {
    rung.wait();
    stop();
  });
  ev_timer timer;
  ev_timer_init(
      &timer, [](struct ev_loop*, ev_timer* w, int) { static_cast<event*>(w->data)->set(); }, 0.001, 0.);
  timer.data = &rung;
  ev_timer_start(loop, &timer);
  ev_run(loop, 0);
  EXPECT_TRUE(waiter.ready());
}

TEST_F(libev_drivers, a_fiber_that_never_waits_leaves_the_loop_its_turns) {
  const libev_driver driver(loop);
  bool ended = false;
  const task<> busy = spawn([&] {
    while (!ended) this_fiber::yield();
    stop();
  });
  ev_timer timer;
  ev_timer_init(
      &timer, [](struct ev_loop*, ev_timer* w, int) { *static_cast<bool*>(w->data) = true; }, 0.001, 0.);
  timer.data = &ended;
  ev_timer_start(loop, &timer);
  ev_run(loop, 0);
  EXPECT_TRUE(busy.ready());
}

TEST_F(libev_drivers, a_callback_that_waits_lets_the_fibers_run) {
  const libev_driver driver(loop);
  struct shared {
    event asked, answered;
    libev_drivers* test;
  } both{{}, {}, this};
  const task<> answerer = spawn([&] {
    both.asked.wait();
    both.answered.set();
  });
  ev_timer timer;
  ev_timer_init(
      &timer,
      [](struct ev_loop* of, ev_timer* w, int) {
        auto& s = *static_cast<shared*>(w->data);
        s.asked.set();
        EXPECT_TRUE(s.answered.wait(60s));
        ev_break(of, EVBREAK_ALL);
      },
      0.001, 0.);
  timer.data = &both;
  ev_timer_start(loop, &timer);
  ev_run(loop, 0);
  EXPECT_TRUE(answerer.ready());
}

TEST_F(libev_drivers, the_loop_ends_by_itself_once_its_driver_is_gone) {
  { const libev_driver driver(loop); }
  EXPECT_EQ(ev_run(loop, 0), 0);
}

TEST(libev_driver, refuses_no_loop) { EXPECT_THROW(libev_driver(nullptr), std::system_error); }

}  // namespace
}  // namespace weft
