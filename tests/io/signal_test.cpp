// SPDX-License-Identifier: MIT
#include "weft/signal.hpp"

#include <errno.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/io/support.hpp"
#include "weft/fiber.hpp"

namespace weft {
namespace {

using namespace test;

std::atomic<int> others_calls{0};
void others_handler(int) { ++others_calls; }

struct sigaction disposition_of(int signum) {
  struct sigaction a {};
  EXPECT_EQ(sigaction(signum, nullptr, &a), 0);
  return a;
}

// Puts back what a test has changed.
class signals : public testing::Test {
 protected:
  void TearDown() override {
    EXPECT_EQ(disposition_of(SIGUSR1).sa_handler, SIG_DFL);
    EXPECT_EQ(disposition_of(SIGUSR2).sa_handler, SIG_DFL);
  }
};

TEST_F(signals, a_stream_gives_them_in_order_to_who_waits) {
  signal_stream stream({SIGUSR1, SIGUSR2});
  EXPECT_FALSE(stream.ready());
  std::vector<int> got;
  const fiber reader = spawn([&] {
    for (int i = 0; i < 3; ++i) {
      const auto s = stream.receive();
      ASSERT_TRUE(s);
      EXPECT_EQ(s->si_pid, getpid());
      got.push_back(s->si_signo);
    }
  });
  this_fiber::yield();
  raise(SIGUSR1);
  raise(SIGUSR2);
  raise(SIGUSR1);
  reader.join();
  EXPECT_EQ(got, (std::vector<int>{SIGUSR1, SIGUSR2, SIGUSR1}));
}

TEST_F(signals, a_deadline_ends_the_wait_but_not_a_signal_that_is_there) {
  signal_stream stream({SIGUSR1});
  EXPECT_FALSE(stream.receive(1ms));
  raise(SIGUSR1);
  EXPECT_TRUE(stream.ready());
  EXPECT_TRUE(stream.receive(0ms));
  EXPECT_FALSE(stream.receive(0ms));
}

TEST_F(signals, a_wait_that_is_given_up_takes_none) {
  {
    signal_stream stream({SIGUSR1});
    testing_support::expect_given_up("receive", [&](deadline by) { return stream.receive(by).has_value(); });
    raise(SIGUSR1);
    EXPECT_TRUE(stream.receive(1min));
    EXPECT_FALSE(stream.ready());
  }
  testing_support::expect_given_up("signal_wait", [](deadline by) { return signal_wait({SIGUSR2}, by).has_value(); });
}

TEST_F(signals, a_stream_is_ready_until_the_last_one_is_taken) {
  signal_stream stream({SIGUSR1});
  for (int i = 0; i < 2000; ++i) raise(SIGUSR1);  // more than the pipe has room for
  while (stream.ready()) ASSERT_TRUE(stream.receive(0ms));
  EXPECT_FALSE(stream.receive(0ms));
}

TEST_F(signals, each_stream_gets_each_signal) {
  signal_stream one({SIGUSR1}), two({SIGUSR1}), other({SIGUSR2});
  raise(SIGUSR1);
  EXPECT_TRUE(one.receive(0ms));
  EXPECT_TRUE(two.receive(0ms));
  EXPECT_FALSE(other.receive(0ms));
}

TEST_F(signals, values_sent_with_a_signal_arrive) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer holds signals back until the thread makes a call that it knows to block";
#endif
  signal_stream stream({SIGRTMIN + 3});
  sigval value{};
  for (int i = 1; i <= 3; ++i) {
    value.sival_int = i;
    ASSERT_EQ(sigqueue(getpid(), SIGRTMIN + 3, value), 0);
  }
  for (int i = 1; i <= 3; ++i) {
    const auto s = stream.receive();
    ASSERT_TRUE(s);
    EXPECT_EQ(s->si_value.sival_int, i);
  }
}

TEST_F(signals, from_another_thread_they_wake_the_hub) {
  signal_stream stream({SIGUSR1});
  std::thread other([] { pthread_kill(pthread_self(), SIGUSR1); });
  EXPECT_TRUE(stream.receive());
  other.join();
}

TEST_F(signals, the_disposition_is_put_back_with_the_last_stream) {
  {
    signal_stream one({SIGUSR1});
    { signal_stream two({SIGUSR1}); }
    EXPECT_NE(disposition_of(SIGUSR1).sa_handler, SIG_DFL);
  }
  EXPECT_EQ(disposition_of(SIGUSR1).sa_handler, SIG_DFL);
  EXPECT_FALSE(signal_wait({SIGUSR1}, 1ms));
  EXPECT_EQ(disposition_of(SIGUSR1).sa_handler, SIG_DFL);
}

TEST_F(signals, a_handler_of_somebody_else_is_called_as_before_and_put_back) {
  others_calls = 0;
  ::signal(SIGUSR1, others_handler);
  {
    signal_stream stream({SIGUSR1});
    raise(SIGUSR1);
    EXPECT_EQ(others_calls, 1);
    EXPECT_TRUE(stream.receive(0ms));
  }
  EXPECT_EQ(disposition_of(SIGUSR1).sa_handler, others_handler);
  ::signal(SIGUSR1, SIG_DFL);
}

TEST_F(signals, a_handler_installed_since_is_left_alone) {
  {
    signal_stream stream({SIGUSR1});
    ::signal(SIGUSR1, others_handler);
  }
  EXPECT_EQ(disposition_of(SIGUSR1).sa_handler, others_handler);
  ::signal(SIGUSR1, SIG_DFL);
}

TEST_F(signals, beyond_its_room_a_stream_keeps_one_of_a_kind) {
  signal_stream stream({SIGUSR1, SIGUSR2});
  for (int i = 0; i < 2000; ++i) raise(SIGUSR1);
  raise(SIGUSR2);
  int first = 0, second = 0;
  bool told = false;
  while (const auto s = stream.receive(0ms)) {
    (s->si_signo == SIGUSR1 ? first : second) += 1;
    told = told || s->si_code == SI_KERNEL;
  }
  EXPECT_GT(first, 100);
  EXPECT_LT(first, 2000);
  EXPECT_EQ(second, 1);
  EXPECT_TRUE(told);
}

TEST_F(signals, what_cannot_be_waited_for_is_refused) {
  for (const int bad : {SIGKILL, SIGSTOP, SIGSEGV, 0, 65, -1}) {
    try {
      signal_stream stream({bad});
      ADD_FAILURE() << bad;
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code().value(), EINVAL) << bad;
    }
  }
  // What came before the bad one is put back.
  EXPECT_THROW(signal_stream({SIGUSR1, SIGKILL}), std::system_error);
}

TEST_F(signals, a_stream_that_was_moved_from_is_over) {
  signal_stream one({SIGUSR1});
  signal_stream two(std::move(one));
  raise(SIGUSR1);
  EXPECT_TRUE(two.receive(0ms));
  EXPECT_FALSE(one.ready());                          // NOLINT(bugprone-use-after-move)
  EXPECT_THROW(one.receive(0ms), std::system_error);  // NOLINT(bugprone-use-after-move)
}

TEST_F(signals, in_a_forks_child_nothing_comes_and_dispositions_are_as_before) {
  signal_stream stream({SIGUSR1});
  const pid_t child = fork();
  if (child == 0) {
    if (disposition_of(SIGUSR1).sa_handler != SIG_DFL) _exit(1);
    try {
      stream.receive(0ms);
      _exit(2);
    } catch (const std::system_error&) {
    }
    signal_stream own({SIGUSR1});
    raise(SIGUSR1);
    _exit(own.receive() ? 0 : 3);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(stream.receive(0ms));
}

TEST_F(signals, a_handler_runs_in_a_new_fiber_for_each_signal_until_cancelled) {
  int calls = 0, running = 0;
  bool go_on = false;
  signal_handler handler(SIGUSR1, [&](const siginfo_t& info) {
    EXPECT_EQ(info.si_signo, SIGUSR1);
    ++calls;
    ++running;
    until([&] { return go_on; });
    --running;
  });
  raise(SIGUSR1);
  until([&] { return calls == 1; });
  raise(SIGUSR1);
  until([&] { return calls == 2; });
  EXPECT_EQ(running, 2);
  handler.cancel();
  handler.cancel();
  EXPECT_EQ(disposition_of(SIGUSR1).sa_handler, SIG_DFL);
  go_on = true;
  until([&] { return running == 0; });
}

TEST_F(signals, a_handler_may_take_no_argument_be_moved_and_be_destroyed_by_its_own_call) {
  int calls = 0;
  std::optional<signal_handler> kept;
  kept.emplace(SIGUSR2, [&] {
    ++calls;
    kept.reset();
  });
  signal_handler moved(SIGUSR1, [&] { ++calls; });
  signal_handler here(std::move(moved));
  raise(SIGUSR2);
  raise(SIGUSR1);
  until([&] { return calls == 2; });
  EXPECT_FALSE(kept);
}

TEST_F(signals, a_handler_without_a_function_is_refused) {
  EXPECT_THROW(signal_handler(SIGUSR1, std::function<void()>()), std::invalid_argument);
  EXPECT_THROW(signal_handler(SIGUSR1, std::function<void(const siginfo_t&)>()), std::invalid_argument);
  EXPECT_THROW(signal_handler(SIGUSR1, static_cast<void (*)()>(nullptr)), std::invalid_argument);
}

TEST_F(signals, a_cancelled_receive_takes_none) {
  signal_stream stream({SIGUSR1});
  EXPECT_TRUE(testing_support::cancels([&] { stream.receive(); }));
  raise(SIGUSR1);
  const auto s = stream.receive();
  ASSERT_TRUE(s);
  EXPECT_EQ(s->si_signo, SIGUSR1);
}

TEST_F(signals, a_cancelled_wait_puts_the_disposition_back) {
  EXPECT_TRUE(testing_support::cancels([&] { static_cast<void>(signal_wait({SIGUSR1, SIGUSR2})); }));
  EXPECT_EQ(disposition_of(SIGUSR1).sa_handler, SIG_DFL);
  EXPECT_EQ(disposition_of(SIGUSR2).sa_handler, SIG_DFL);
}

}  // namespace
}  // namespace weft
