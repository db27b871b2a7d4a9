// SPDX-License-Identifier: MIT
// The cases of gevent's tests of Greenlet, joinall and killall, as far as they are about more than Python and task_test.cpp,
// kill_test.cpp and wait_test.cpp have them not.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/core/cancelling.hpp"
#include "tests/plain_threads.hpp"
#include "weft/event.hpp"
#include "weft/fiber.hpp"
#include "weft/future.hpp"
#include "weft/queue.hpp"
#include "weft/test_clock.hpp"
#include "weft/timeout.hpp"
#include "weft/wait.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using testing_support::cancels;

void let_others_run() {
  for (int i = 0; i < 5; ++i) this_fiber::yield();
}

struct expected_error : std::runtime_error {
  expected_error() : std::runtime_error("expected") {}
};

enum class ending { gives, throws, is_killed };
class link_of_each_kind : public testing::TestWithParam<ending> {
 protected:
  // A fiber that ends so once `go` is set.
  task<int> made() {
    return spawn([this]() -> int {
      go.wait();
      if (GetParam() == ending::throws) throw expected_error();
      return 1;
    });
  }
  void end(const task<int>& t) {
    if (GetParam() == ending::is_killed) {
      EXPECT_TRUE(t.kill());
    } else {
      go.set();
      EXPECT_TRUE(t.join());
    }
    let_others_run();
  }
  bool fails() const { return GetParam() == ending::throws; }

  event go;
};
INSTANTIATE_TEST_SUITE_P(gevent, link_of_each_kind, testing::Values(ending::gives, ending::throws, ending::is_killed));

TEST_P(link_of_each_kind, calls_what_it_should_and_once) {
  const task<int> t = made();
  int ended = 0, values = 0, failures = 0;
  auto add_links = [&] {
    t.link([&](const fiber&) { ++ended; });
    t.link_value([&](const fiber&) { ++values; });
    t.link_exception([&](const fiber& f) { failures += f.exception() != nullptr ? 1 : 0; });
  };
  add_links();
  let_others_run();
  EXPECT_EQ(ended + values + failures, 0);
  end(t);
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(values, fails() ? 0 : 1) << "a killed one is successful";
  EXPECT_EQ(failures, fails() ? 1 : 0);
  add_links();  // behind the end they are called too
  let_others_run();
  EXPECT_EQ(ended, 2);
  EXPECT_EQ(values + failures, 2);
}

TEST_P(link_of_each_kind, to_a_promise_a_queue_and_another_fiber) {
  const task<int> t = made();
  promise<bool> ended;
  future<bool> asked = ended.get_future();
  queue<std::uint64_t> seen;
  const task<> other = spawn([] { this_fiber::sleep_for(1h); });
  t.link([p = std::make_shared<promise<bool>>(std::move(ended))](const fiber& f) { p->set_value(f.successful()); });
  t.link([&](const fiber& f) { EXPECT_TRUE(seen.try_push(f.get_id())); });
  t.link([other](const fiber&) { other.request_kill(); });
  end(t);
  EXPECT_EQ(asked.get(), !fails());
  EXPECT_EQ(seen.pop(), t.get_id());
  EXPECT_TRUE(other.join());
}

TEST_P(link_of_each_kind, who_gets_the_result) {
  const task<int> t = made();
  const task<> asks = spawn([&] {
    switch (GetParam()) {
      case ending::gives:
        EXPECT_EQ(t.get(), 1);
        break;
      case ending::throws:
        EXPECT_THROW(t.get(), expected_error);
        break;
      case ending::is_killed:
        EXPECT_THROW(t.get(), task_cancelled);
        break;
    }
  });
  this_fiber::yield();
  end(t);
  EXPECT_TRUE(asks.join());
  EXPECT_TRUE(t.ready());
  EXPECT_EQ(t.successful(), !fails());
}

TEST(gevent_greenlet, a_link_that_fails_does_not_keep_the_others) {
  testing::internal::CaptureStderr();
  const task<> t = spawn([] {});
  int called = 0;
  t.link([&](const fiber&) { ++called; });
  t.link([&](const fiber& f) {
    spawn([f] { throw expected_error(); });
    ++called;
  });
  t.link([&](const fiber&) { ++called; });
  t.join();
  let_others_run();
  EXPECT_EQ(called, 3);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("expected"), std::string::npos);
}

TEST(gevent_greenlet, an_earlier_link_takes_a_later_one_back) {
  const task<> t = spawn([] {});
  int called = 0;
  fiber::link_id last = 0;
  t.link([&](const fiber& f) {
    ++called;
    f.unlink(last);
  });
  last = t.link([&](const fiber&) { ++called; });
  EXPECT_TRUE(t.unlink(last));
  t.join();
  let_others_run();
  EXPECT_EQ(called, 1);
}

TEST(gevent_greenlet, kill_of_one_that_is_about_to_begin_or_to_go_on) {
  bool ran = false;
  const task<> fresh = spawn([&] { ran = true; });
  EXPECT_TRUE(fresh.kill());
  EXPECT_FALSE(ran);
  EXPECT_TRUE(fresh.successful());
  const task<> ready = spawn([&] {
    this_fiber::yield();
    ran = true;
  });
  this_fiber::yield();
  EXPECT_TRUE(ready.kill());
  EXPECT_FALSE(ran) << "it was in the run queue";
}

TEST(gevent_greenlet, kill_of_one_that_kills_its_killer) {
  task<> first, second;
  second = spawn([&] {
    try {
      this_fiber::sleep_for(1h);
    } catch (const cancelled&) {
      first.kill();  // it waits for us, and leaves
      throw;
    }
  });
  first = spawn([&] { second.kill(); });
  EXPECT_TRUE(join_all({first, second}, 60s));
}

TEST(gevent_greenlet, join_leaves_only_by_its_own_timeout) {
  WEFT_TEST_CLOCK(clock);
  const task<> sleeps = spawn([] { this_fiber::sleep_for(1h); });
  EXPECT_FALSE(sleeps.join(1ms));
  EXPECT_FALSE(sleeps.ready());
  timeout outer(1ms);
  EXPECT_THROW(sleeps.join(1h), timeout_expired);
  EXPECT_TRUE(outer.expired());
  EXPECT_TRUE(cancels([&] { sleeps.join(); }));
  EXPECT_TRUE(cancels([&] { sleeps.get(); }));
  EXPECT_TRUE(sleeps.kill());
}

TEST(gevent_greenlet, a_kill_that_is_cancelled_has_killed) {
  bool unwound = false;
  event leave;
  const task<> slow = spawn([&] {
    try {
      this_fiber::sleep_for(1h);
    } catch (const cancelled&) {
      leave.wait();
      unwound = true;
      throw;
    }
  });
  this_fiber::yield();
  EXPECT_TRUE(cancels([&] { slow.kill(); }));
  EXPECT_FALSE(unwound);
  leave.set();
  EXPECT_TRUE(slow.join());
  EXPECT_TRUE(unwound);
}

TEST(gevent_joinall, in_the_order_of_their_ends_and_some_of_them) {
  auto after = [](int yields) {
    return spawn([yields] {
      for (int i = 0; i < yields; ++i) this_fiber::yield();
    });
  };
  std::vector<task<>> all{after(9), after(3), after(6)};
  const auto first = weft::wait(all, 1);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0], &all[1]);
  const auto order = weft::wait(all);
  ASSERT_EQ(order.size(), 3U);
  EXPECT_EQ(order[2], &all[0]);
  EXPECT_TRUE(weft::wait(all, 0).empty());
  std::vector<task<>> none;
  EXPECT_TRUE(weft::wait(none).empty());
  EXPECT_TRUE(join_all(none));
}

TEST(gevent_killall, of_a_part_and_of_those_that_have_not_begun) {
  int ran = 0;
  auto body = [&ran] {
    ++ran;
    this_fiber::sleep_for(1h);
  };
  std::vector<task<>> all{spawn(body), spawn(body)};
  this_fiber::yield();
  all.push_back(spawn(body));
  const task<> other = spawn([] { this_fiber::sleep_for(1h); });
  EXPECT_TRUE(kill_all(all));
  EXPECT_EQ(ran, 2);
  EXPECT_TRUE(std::all_of(all.begin(), all.end(), [](const task<>& t) { return t.ready(); }));
  EXPECT_FALSE(other.ready());
  EXPECT_TRUE(kill_all(all)) << "again";
  EXPECT_TRUE(other.kill());
}

}  // namespace
}  // namespace weft
