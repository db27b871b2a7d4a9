// SPDX-License-Identifier: MIT
#include "weft/once.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "sync/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/event.hpp"
#include "weft/test_clock.hpp"

namespace weft {
namespace {

using namespace test;

static_assert(!std::is_copy_constructible_v<once_flag>);
static_assert(sizeof(once_flag) == 40);

TEST(once, is_called_once_while_the_others_wait) {
  once_flag flag;
  int calls = 0;
  bool made = false;
  std::vector<fiber> fibers;
  for (int i = 0; i < 5; ++i) {
    fibers.push_back(spawn([&] {
      call_once(
          flag,
          [&](int add) {
            calls += add;
            let_others_run();
            made = true;
          },
          1);
      EXPECT_TRUE(made);
    }));
  }
  for (const fiber& f : fibers) f.join();
  EXPECT_EQ(calls, 1);
}

TEST(once, an_exception_leaves_it_to_the_next) {
  once_flag flag;
  int calls = 0;
  event second_waits;
  const auto fails_first = [&] {
    second_waits.wait();
    if (++calls == 1) throw std::runtime_error("first");
  };
  bool failed = false;
  const fiber first = spawn([&] {
    try {
      call_once(flag, fails_first);
    } catch (const std::runtime_error&) {
      failed = true;
    }
  });
  let_others_run();
  const fiber second = spawn([&] { call_once(flag, fails_first); });
  let_others_run();
  second_waits.set();
  first.join();
  second.join();
  EXPECT_TRUE(failed);
  EXPECT_EQ(calls, 2);
}

TEST(once, cancelling_who_calls_leaves_it_to_the_next_and_who_waits_just_goes) {
  once_flag flag;
  mutex gate;
  gate.lock();
  int calls = 0;
  const auto work = [&] {
    ++calls;
    const std::lock_guard guard(gate);
  };
  victim caller([&] { call_once(flag, work); });
  let_others_run();
  victim waiter([&] { call_once(flag, work); });
  let_others_run();
  waiter.cancel();
  waiter.join();
  EXPECT_TRUE(waiter.was_cancelled());
  caller.cancel();
  caller.join();
  EXPECT_TRUE(caller.was_cancelled());
  gate.unlock();
  call_once(flag, work);
  EXPECT_EQ(calls, 2);
}

TEST(once, a_deadline_ends_the_wait_for_another) {
  WEFT_TEST_CLOCK(clock);
  once_flag flag;
  mutex gate;
  gate.lock();
  const fiber caller = spawn([&] { call_once(flag, [&] { const std::lock_guard guard(gate); }); });
  this_fiber::yield();
  EXPECT_FALSE(call_once_until(flag, 1us, [] { FAIL(); }));
  gate.unlock();
  caller.join();
  EXPECT_TRUE(call_once_until(flag, 0s, [] { FAIL(); }));
}

TEST(once, calling_it_from_within_itself_throws) {
  once_flag flag;
  call_once(flag,
            [&] { EXPECT_EQ(failure_of([&] { call_once(flag, [] {}); }), std::errc::resource_deadlock_would_occur); });
}

TEST(once, fibers_of_several_hubs_and_plain_threads_share_it) {
  for (int round = 0; round < 5; ++round) {
    once_flag flag;
    int made = 0;
    run_crowd({}, [&](int) {
      call_once(flag, [&] {
        this_fiber::yield();
        ++made;
      });
      EXPECT_EQ(made, 1);
    });
  }
}

}  // namespace
}  // namespace weft
