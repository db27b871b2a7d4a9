// SPDX-License-Identifier: MIT
#include "core/cancel.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "core/local_hub.hpp"
#include "core/scheduler.hpp"
#include "tests/core/turnstile.hpp"
#include "tests/plain_threads.hpp"
#include "weft/detail/cancel_record.hpp"
#include "weft/fiber.hpp"
#include "weft/io.hpp"
#include "weft/test_clock.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

struct stopped {
  const detail::cancel_record* by;
};

struct record : detail::cancel_record {
  explicit record(bool shield = false) : cancel_record([](cancel_record& r) { throw stopped{&r}; }, shield) {}
  ~record() { leave(); }
};

// Runs @p f and says which record ended it.
template <class F>
const detail::cancel_record* ended_by(F f) {
  try {
    f();
  } catch (const stopped& s) {
    return s.by;
  }
  return nullptr;
}

void kill(core::fiber& f) { f.kill.request(); }

TEST(cancel, ends_a_sleep_a_join_and_a_wait_for_a_descriptor) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  turnstile never;
  const fiber sleeper = spawn([&] { never.acquire(); });
  auto cancels = [](auto wait) {
    record r;
    r.enter();
    const fiber f = spawn([&r] { r.request(); });
    EXPECT_EQ(ended_by(wait), &r);
    f.join();
  };
  cancels([] { this_fiber::sleep_for(1h); });
  cancels([&] { sleeper.join(); });
  cancels([&] { (void)wait_readable(ends[0]); });
  cancels([&] { never.acquire(); });
  EXPECT_TRUE(wait_writable(ends[0], 0s));
  never.release();
  EXPECT_TRUE(sleeper.join());
  ::weft::close(ends[0]);
  ::close(ends[1]);
}

TEST(cancel, a_deadline_of_a_record_ends_a_longer_wait_and_no_shorter_one) {
  WEFT_TEST_CLOCK(clock);
  record r;
  r.enter(1h);
  EXPECT_EQ(ended_by([] { this_fiber::sleep_for(59min); }), nullptr);
  r.set_deadline(10min);
  EXPECT_EQ(ended_by([] { this_fiber::sleep_for(1h); }), &r);
  EXPECT_EQ(clock.elapsed(), 69min);
  EXPECT_EQ(ended_by([] { this_fiber::sleep_for(1h); }), nullptr) << "thrown once";
}

TEST(cancel, the_innermost_deadline_comes_first_and_the_outer_one_afterwards) {
  WEFT_TEST_CLOCK(clock);
  record outer, inner;
  outer.enter(1h);
  EXPECT_EQ(ended_by([&] {
              inner.enter(1min);
              EXPECT_EQ(ended_by([] { this_fiber::sleep_for(2h); }), &inner);
              EXPECT_EQ(clock.elapsed(), 1min);
              inner.leave();
              outer.set_deadline(1min);
              this_fiber::sleep_for(1h);
            }),
            &outer);
  EXPECT_EQ(clock.elapsed(), 2min);
}

TEST(cancel, of_several_that_are_due_the_outermost_is_thrown_and_the_others_stay_due) {
  record outer, inner;
  outer.enter();
  inner.enter();
  inner.request();
  outer.request();
  inner.request();
  EXPECT_EQ(ended_by([] { this_fiber::yield(); }), &outer);
  EXPECT_EQ(ended_by([] { this_fiber::yield(); }), &inner);
  EXPECT_EQ(ended_by([] { this_fiber::yield(); }), nullptr);
}

TEST(cancel, a_record_that_was_left_is_thrown_no_more) {
  WEFT_TEST_CLOCK(clock);
  record outer, inner;
  outer.enter();
  inner.enter(0s);
  outer.request();
  outer.leave();
  inner.leave();
  inner.leave();
  EXPECT_EQ(ended_by([] { this_fiber::sleep_for(1h); }), nullptr);
  EXPECT_EQ(core::self().cancels, 0);
  outer.enter();
  EXPECT_EQ(ended_by([] { this_fiber::sleep_for(1h); }), nullptr);
}

TEST(cancel, a_yield_sees_requests_and_deadlines) {
  WEFT_TEST_CLOCK(clock);
  record r;
  r.enter(1min);
  EXPECT_EQ(ended_by([] { this_fiber::yield(); }), nullptr);
  clock.advance(1min);
  EXPECT_EQ(ended_by([] { this_fiber::yield(); }), &r);
  r.request();
  EXPECT_EQ(ended_by([] { this_fiber::yield(); }), &r);
}

TEST(cancel, a_shield_hides_what_is_outside_of_it) {
  WEFT_TEST_CLOCK(clock);
  record outer, shield(true), inner;
  outer.enter(1min);
  shield.enter();
  EXPECT_EQ(ended_by([] { this_fiber::sleep_for(2min); }), nullptr);
  outer.request();
  EXPECT_EQ(ended_by([] { this_fiber::yield(); }), nullptr);
  inner.enter();
  inner.request();
  EXPECT_EQ(ended_by([] { this_fiber::yield(); }), &inner);
  inner.leave();
  shield.leave();
  EXPECT_EQ(ended_by([] { this_fiber::sleep_for(1h); }), &outer) << "it was not lost";
}

TEST(cancel, a_deadline_that_passed_under_a_shield_is_seen_by_a_yield_behind_it) {
  WEFT_TEST_CLOCK(clock);
  record outer, shield(true);
  outer.enter(1min);
  shield.enter();
  this_fiber::sleep_for(1h);
  shield.leave();
  EXPECT_EQ(ended_by([] { this_fiber::yield(); }), &outer);
}

TEST(cancel, a_request_under_a_shield_does_not_end_a_wait_that_goes_on) {
  turnstile gate;
  bool passed = false;
  record* outer = nullptr;
  const fiber f = spawn([&] {
    record r, shield(true);
    r.enter();
    outer = &r;
    shield.enter();
    gate.acquire();
    passed = true;
    shield.leave();
    EXPECT_EQ(ended_by([] { this_fiber::yield(); }), &r);
  });
  this_fiber::yield();
  outer->request();
  this_fiber::yield();
  EXPECT_FALSE(passed);
  gate.release();
  f.join();
  EXPECT_TRUE(passed);
}

TEST(cancel, nothing_is_thrown_while_destructors_run) {
  WEFT_TEST_CLOCK(clock);
  struct waits {
    ~waits() { this_fiber::sleep_for(1h); }
  };
  record outer, inner;
  outer.enter();
  inner.enter();
  int caught = 0;
  try {
    const waits w;
    inner.request();
    outer.request();
    this_fiber::yield();
  } catch (const stopped& s) {
    ++caught;
    EXPECT_EQ(s.by, &outer);
    EXPECT_EQ(ended_by([] { this_fiber::yield(); }), &inner) << "a handler may be cancelled again";
  }
  EXPECT_EQ(caught, 1);
}

TEST(cancel, a_wait_in_a_destructor_is_not_ended_by_a_request_that_comes_meanwhile) {
  WEFT_NEEDS_PLAIN_THREADS();
  turnstile gate;
  int order = 0, served = 0;
  core::fiber* target = nullptr;
  const fiber f = spawn([&] {
    target = &core::self();
    struct waits {
      turnstile& at;
      int& order;
      int& served;
      ~waits() {
        at.acquire();
        served = ++order;
      }
    };
    try {
      const waits w{gate, order, served};
      throw 1;
    } catch (int) {
    }
    EXPECT_THROW(this_fiber::yield(), cancelled);
  });
  this_fiber::yield();
  kill(*target);
  this_fiber::yield();
  EXPECT_EQ(order, 0);
  gate.release();
  f.join();
  EXPECT_EQ(served, 1);
}

TEST(cancel, a_wake_that_came_first_wins_and_the_request_stays_due) {
  WEFT_NEEDS_PLAIN_THREADS();
  turnstile gate;
  core::fiber* target = nullptr;
  bool taken = false;
  const fiber f = spawn([&] {
    target = &core::self();
    EXPECT_TRUE(gate.acquire());
    taken = true;
    EXPECT_THROW(this_fiber::yield(), cancelled);
    this_fiber::yield();
  });
  this_fiber::yield();
  gate.release();
  kill(*target);
  f.join();
  EXPECT_TRUE(taken);
}

TEST(cancel, a_request_before_the_wait_prevents_it_unless_it_needs_none) {
  turnstile gate(1);
  record r;
  r.enter();
  r.request();
  EXPECT_TRUE(gate.acquire());
  EXPECT_EQ(ended_by([&] { gate.acquire(); }), &r);
  EXPECT_FALSE(gate.waited_for());
}

TEST(cancel, each_request_from_other_threads_is_thrown_once_and_nothing_is_lost) {
  WEFT_NEEDS_PLAIN_THREADS();
  constexpr int requests = 400, releases = requests / 2;
  turnstile gate;
  std::atomic<core::fiber*> target{nullptr};
  std::atomic<int> thrown{0};
  std::thread other([&] {
    while (target == nullptr) std::this_thread::yield();
    for (int i = 0; i < requests; ++i) {
      kill(*target);
      if (i % 2 == 0) gate.release();
      while (thrown <= i) std::this_thread::yield();
    }
  });
  int taken = 0;
  spawn([&] {
    target = &core::self();
    while (taken < releases || thrown < requests) {
      try {
        gate.acquire();
        ++taken;
      } catch (const cancelled&) {
        ++thrown;
      }
    }
  }).join();
  other.join();
  EXPECT_EQ(thrown, requests);
  EXPECT_EQ(taken, releases);
  EXPECT_EQ(gate.count(), 0);
}

TEST(cancel, a_join_of_another_hubs_fiber_can_be_cancelled_and_tried_again) {
  std::atomic<bool> go{false};
  std::atomic<fiber*> far{nullptr};
  std::thread other([&] {
    fiber f = spawn([&] {
      while (!go) this_fiber::yield();
    });
    far = &f;
    f.join();
    // The other hub may still ask this one about the fiber.
    while (far != nullptr) this_fiber::yield();
  });
  while (far == nullptr) std::this_thread::yield();
  for (int i = 0; i < 20; ++i) {
    record r;
    r.enter(100us);
    EXPECT_EQ(ended_by([&] { far.load()->join(); }), &r);
  }
  go = true;
  EXPECT_TRUE(far.load()->join());
  far = nullptr;
  other.join();
}

TEST(cancel, a_plain_thread_gets_a_hub_for_its_first_record) {
  std::thread([] {
    record r;
    r.enter(1ms);
    EXPECT_NE(weft_this_hub, nullptr);
    turnstile gate;
    EXPECT_EQ(ended_by([&] { gate.acquire(); }), &r);
  }).join();
}

TEST(cancel, misuse_aborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(spawn([] { throw_cancelled(); }).join(), "weft: throw_cancelled is called and nothing is due");
  EXPECT_DEATH(
      {
        record r;
        r.enter();
        r.enter();
      },
      "that has begun already");
  EXPECT_DEATH(
      {
        record r;
        r.set_deadline(1ms);
      },
      "that has not begun");
  constexpr const char* by_another = "is ended by another fiber than the one that began it";
  EXPECT_DEATH(
      {
        record r;
        r.enter();
        spawn([&] { r.leave(); }).join();
      },
      by_another);
  EXPECT_DEATH(
      {
        record r;
        r.enter();
        std::thread([&] { r.leave(); }).join();
      },
      by_another);
  EXPECT_DEATH(
      {
        record r;
        spawn([&] { r.enter(); }).join();
        spawn([&] { r.leave(); }).join();
      },
      by_another);
}

}  // namespace
}  // namespace weft
