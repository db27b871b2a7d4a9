// SPDX-License-Identifier: MIT
#include "weft/watcher.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "core/scheduler.hpp"
#include "tests/io/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/random_schedule.hpp"

namespace weft {
namespace {

using namespace test;

class io_watching : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0); }
  void TearDown() override {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  int ends[2];
};

TEST_F(io_watching, calls_as_long_as_the_descriptor_is_ready) {
  int calls = 0;
  std::string got;
  io_watcher w(ends[0], POLLIN, [&](short events) {
    EXPECT_EQ(events, POLLIN);
    ++calls;
    char c;
    ASSERT_EQ(read(ends[0], &c, 1), 1);
    got += c;
  });
  EXPECT_FALSE(w.active());
  w.start();
  w.start();
  EXPECT_TRUE(w.active());
  ASSERT_EQ(write(ends[1], "abc", 3), 3);
  until([&] { return got.size() == 3; });
  EXPECT_EQ(calls, 3);
  w.stop();
  EXPECT_FALSE(w.active());
  ASSERT_EQ(write(ends[1], "d", 1), 1);
  this_fiber::idle();
  EXPECT_EQ(calls, 3);
}

TEST_F(io_watching, both_directions_at_once_and_the_peers_end) {
  short seen = 0;
  io_watcher w(ends[0], POLLIN | POLLOUT, [&](short events) {
    seen = static_cast<short>(seen | events);
    if ((events & POLLHUP) != 0) w.stop();
  });
  w.start();
  until([&] { return seen == POLLOUT; });
  ::shutdown(ends[1], SHUT_RDWR);
  until([&] { return !w.active(); });
  EXPECT_EQ(seen & (POLLIN | POLLHUP), POLLIN | POLLHUP);
}

TEST_F(io_watching, a_function_that_waits_holds_up_nobody_and_is_not_entered_twice) {
  int inside = 0, entered = 0;
  bool go_on = false;
  io_watcher w(ends[0], POLLIN, [&](short) {
    EXPECT_EQ(++inside, 1);
    ++entered;
    until([&] { return go_on; });
    char c;
    EXPECT_EQ(read(ends[0], &c, 1), 1);
    --inside;
  });
  int ticks = 0;
  timer_watcher tick(1ms, 1ms, [&] { ++ticks; });
  w.start();
  tick.start();
  ASSERT_EQ(write(ends[1], "ab", 2), 2);
  until([&] { return ticks >= 3; });
  EXPECT_EQ(entered, 1);
  go_on = true;
  until([&] { return entered == 2 && inside == 0; });
}

TEST_F(io_watching, a_number_that_is_no_descriptor_calls_with_pollnval) {
  const int gone = dup(ends[0]);
  ::close(gone);
  short seen = 0;
  io_watcher w(gone, POLLIN, [&](short events) {
    seen = events;
    w.stop();
  });
  w.start();
  until([&] { return seen != 0; });
  EXPECT_EQ(seen, POLLNVAL);
}

TEST_F(io_watching, other_events_are_refused) {
  EXPECT_THROW(io_watcher(ends[0], 0, [](short) {}), std::invalid_argument);
  EXPECT_THROW(io_watcher(ends[0], POLLPRI, [](short) {}), std::invalid_argument);
}

TEST(watchers, an_empty_function_is_refused) {
  EXPECT_THROW(io_watcher(0, POLLIN, {}), std::invalid_argument);
  EXPECT_THROW(timer_watcher(1s, 0s, {}), std::invalid_argument);
  EXPECT_THROW(idle_watcher({}), std::invalid_argument);
  EXPECT_THROW(prepare_watcher({}), std::invalid_argument);
  EXPECT_THROW(check_watcher({}), std::invalid_argument);
  EXPECT_THROW(async_watcher({}), std::invalid_argument);
  EXPECT_THROW(stat_watcher("/", 0s, {}), std::invalid_argument);
  EXPECT_THROW(signal_watcher(SIGUSR1, {}), std::invalid_argument);
  EXPECT_THROW(child_watcher(1, {}), std::invalid_argument);
}

TEST_F(io_watching, feeding_calls_though_nothing_happened) {
  std::optional<short> seen;
  io_watcher w(ends[0], POLLIN, [&](short events) { seen = events; });
  w.feed();  // stopped: nothing
  this_fiber::idle();
  EXPECT_FALSE(seen);
  w.start();
  w.feed();
  EXPECT_TRUE(w.pending());
  until([&] { return seen.has_value(); });
  EXPECT_EQ(*seen, 0);
  EXPECT_FALSE(w.pending());
}

TEST_F(io_watching, stopping_takes_back_a_call_that_is_due) {
  int calls = 0;
  io_watcher w(ends[0], POLLIN, [&](short) { ++calls; });
  w.start();
  w.feed();
  w.stop();
  EXPECT_FALSE(w.pending());
  this_fiber::idle();
  EXPECT_EQ(calls, 0);
}

TEST_F(io_watching, a_watcher_may_be_destroyed_by_its_own_function_and_with_a_call_due) {
  auto captured = std::make_shared<int>(0);
  std::weak_ptr<int> alive = captured;
  std::unique_ptr<io_watcher> w;
  w = std::make_unique<io_watcher>(ends[0], POLLOUT, [&w, captured](short) {
    w.reset();
    *captured = 1;  // the captures live on
  });
  captured.reset();
  w->start();
  until([&] { return alive.expired(); });
  EXPECT_EQ(w, nullptr);

  bool called = false;
  {
    io_watcher other(ends[0], POLLOUT, [&](short) { called = true; });
    other.start();
    other.feed();
  }
  this_fiber::idle();
  EXPECT_FALSE(called);
}

TEST_F(io_watching, on_another_hub_it_throws) {
  WEFT_NEEDS_PLAIN_THREADS();
  io_watcher w(ends[0], POLLIN, [](short) {});
  w.start();
  std::thread([&] {
    spawn([&] {
      EXPECT_THROW(w.stop(), std::logic_error);
      EXPECT_THROW(w.start(), std::logic_error);
      EXPECT_THROW(w.feed(), std::logic_error);
      EXPECT_THROW(w.unref(), std::logic_error);
    }).join();
  }).join();
}

// What calls the functions belongs to the hub, and goes on with it on another thread.
TEST_F(io_watching, on_the_hub_of_a_thread_that_has_ended) {
  core::hub* first = nullptr;
  for (int i = 0; i < 3; ++i) {
    std::thread([&] {
      int calls = 0;
      io_watcher w(ends[0], POLLIN, [&](short) {
        char c;
        calls += static_cast<int>(read(ends[0], &c, 1));
      });
      w.start();
      ASSERT_EQ(write(ends[1], "x", 1), 1);
      until([&] { return calls == 1; });
      if (first == nullptr) first = core::this_hub();
      EXPECT_EQ(core::this_hub(), first);
    }).join();
  }
}

TEST(timers, one_shot_is_over_after_its_call_and_can_be_started_again) {
  int calls = 0;
  timer_watcher t(1h, 0h, [&] { ++calls; });
  EXPECT_EQ(t.remaining(), 0ns);
  t.start();
  EXPECT_GT(t.remaining(), 0ns);
  t.stop();
  t.set(1ms, 0ms);
  t.start();
  until([&] { return calls == 1; });
  EXPECT_FALSE(t.active());
  t.set(0ms, 0ms);
  t.start();
  until([&] { return calls == 2; });
}

TEST(timers, times_below_zero_are_as_zero) {
  int calls = 0;
  timer_watcher t(-1h, -1h, [&] { ++calls; });
  t.start();
  until([&] { return calls == 1; });
  EXPECT_FALSE(t.active()) << "it does not repeat";
  t.again();
  EXPECT_FALSE(t.active());
}

TEST(timers, work_before_the_start_does_not_shorten_it) {
  const auto busy_until = std::chrono::steady_clock::now() + 20ms;
  while (std::chrono::steady_clock::now() < busy_until) {
  }
  bool called = false;
  timer_watcher t(10ms, 0ms, [&] { called = true; });
  const auto began = std::chrono::steady_clock::now();
  t.start();
  until([&] { return called; });
  EXPECT_GE(std::chrono::steady_clock::now() - began, 9ms);
}

TEST(timers, repeats_until_stopped_from_its_function) {
  int calls = 0;
  timer_watcher t(0ms, 1ms, [&] {
    if (++calls == 5) t.stop();
  });
  t.start();
  until([&] { return !t.active(); });
  EXPECT_EQ(calls, 5);
}

TEST(timers, again_puts_the_call_off) {
  int calls = 0;
  timer_watcher t(0h, 1h, [&] { ++calls; });
  t.again();  // starts it with its repeat
  EXPECT_TRUE(t.active());
  t.set(0h, 10h);
  t.again();
  EXPECT_GT(t.remaining(), 5h);
  t.set(0ms, 0ms);
  t.again();
  EXPECT_FALSE(t.active());
  t.again();
  EXPECT_FALSE(t.active());
  EXPECT_EQ(calls, 0);
}

TEST(turns, prepare_check_and_idle_are_called_around_the_hubs_looks) {
  std::string order;
  prepare_watcher prepare([&] { order += 'p'; });
  check_watcher check([&] { order += 'c'; });
  prepare.start();
  check.start();
  until([&] { return order.size() >= 2; });
  prepare.stop();
  check.stop();
  // Under a random schedule it is drawn which of two calls that are due is made first.
  if (schedule_seed() == 0) {
    EXPECT_EQ(order.substr(0, 2), "pc") << order;
  }

  int low = 0, high = 0;
  idle_watcher first([&] { ++low; });
  idle_watcher second([&] { ++high; });
  second.priority(1);
  first.start();
  second.start();
  until([&] { return high >= 3; });
  EXPECT_EQ(low, 0);
  second.stop();
  until([&] { return low >= 3; });
}

TEST(turns, what_a_prepare_call_readies_runs_before_the_hub_sleeps) {
  bool ran = false;
  prepare_watcher w([&] {
    w.stop();
    spawn([&] {
      this_fiber::idle();
      ran = true;
    });
  });
  w.start();
  until([&] { return ran; });
}

TEST(async, sends_from_other_threads_make_calls_here) {
  std::atomic<int> calls{0};
  int written = 0;
  async_watcher w([&] {
    EXPECT_EQ(written, 42);
    ++calls;
  });
  w.send();  // stopped: nothing
  w.start();
  std::thread([&] {
    written = 42;
    for (int i = 0; i < 100; ++i) w.send();
  }).join();
  until([&] { return calls > 0; });
  EXPECT_LE(calls, 100);
}

TEST(async, a_send_may_outlive_its_watcher) {
  {
    async_watcher w([] { FAIL(); });
    w.start();
    w.send();
  }
  this_fiber::idle();
}

TEST(paths, a_change_is_told_with_what_was_before) {
  char folder[] = "/tmp/weft-watcher-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string name = std::string(folder) + "/file";
  struct stat is {
  }, was{};
  int calls = 0;
  stat_watcher w(name, 20ms, [&](const struct stat& now, const struct stat& before) {
    is = now;
    was = before;
    ++calls;
  });
  w.start();
  const int fd = open(name.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  until([&] { return calls >= 1; });
  EXPECT_EQ(was.st_nlink, 0U);
  EXPECT_EQ(is.st_nlink, 1U);
  ASSERT_EQ(write(fd, "four", 4), 4);
  ::close(fd);
  until([&] { return is.st_size == 4; });
  w.stop();
  unlink(name.c_str());
  rmdir(folder);
}

TEST(system, a_signal_watcher_calls_for_each_signal_and_can_be_started_again) {
  int calls = 0;
  signal_watcher w(SIGUSR1, [&](const siginfo_t& info) {
    EXPECT_EQ(info.si_signo, SIGUSR1);
    ++calls;
  });
  for (int round = 1; round <= 2; ++round) {
    w.start();
    raise(SIGUSR1);
    raise(SIGUSR1);
    until([&] { return calls == 2 * round; });
    w.stop();
  }
  signal_watcher bad(SIGKILL, [](const siginfo_t&) {});
  EXPECT_THROW(bad.start(), std::system_error);
  EXPECT_FALSE(bad.active());
  EXPECT_THROW(signal_watcher(99, [](const siginfo_t&) {}).start(), std::system_error);
}

TEST(system, a_child_watcher_calls_once_with_the_status) {
  const pid_t child = fork();
  if (child == 0) _exit(7);
  std::optional<exit_status> got;
  child_watcher w(child, [&](exit_status s) { got = s; });
  w.start();
  until([&] { return got.has_value(); });
  EXPECT_TRUE(got->exited());
  EXPECT_EQ(got->code(), 7);
  EXPECT_FALSE(w.active());
  EXPECT_THROW(w.start(), std::system_error);  // it is no more
}

TEST(system, if_somebody_else_was_faster_the_status_is_unknown) {
  const pid_t child = fork();
  if (child == 0) {
    raise(SIGSTOP);
    _exit(7);
  }
  std::optional<exit_status> got;
  child_watcher w(child, [&](exit_status s) { got = s; });
  w.start();
  int word = 0;
  ASSERT_EQ(waitpid(child, &word, WUNTRACED), child);
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, &word, 0), child);
  until([&] { return got.has_value(); });
  EXPECT_FALSE(got->known());
}

TEST(references, an_active_watcher_counts_as_something_to_come_unless_unrefed) {
  this_fiber::yield();
  const auto awaited = [] { return core::this_hub()->awaited.load() >> 32; };  // but for sleeps
  const auto before = awaited();
  timer_watcher t(1h, 0h, [] {});
  t.start();
  EXPECT_EQ(awaited(), before + 1);
  t.unref();
  t.unref();
  EXPECT_EQ(awaited(), before);
  t.ref();
  EXPECT_EQ(awaited(), before + 1);
  t.stop();
  EXPECT_EQ(awaited(), before);
}

TEST(priorities, only_while_stopped_and_in_range) {
  timer_watcher t(1h, 0h, [] {});
  t.priority(-2);
  EXPECT_EQ(t.priority(), -2);
  EXPECT_THROW(t.priority(3), std::logic_error);
  t.start();
  EXPECT_THROW(t.priority(0), std::logic_error);
}

TEST(watchers, in_a_forks_child_all_are_stopped_and_can_be_started_anew) {
  int calls = 0;
  timer_watcher t(1ms, 0ms, [&] { ++calls; });
  t.start();
  const pid_t child = fork();
  if (child == 0) {
    if (t.active() || t.remaining() != 0ns) _exit(1);
    this_fiber::sleep_for(5ms);
    if (calls != 0) _exit(2);
    t.start();
    until([&] { return calls == 1; });
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  until([&] { return calls == 1; });
}

TEST(watchers, the_child_of_a_function_ends_with_it) {
  int status = -1;
  timer_watcher t(0ms, 0ms, [&] {
    const pid_t child = fork();
    if (child == 0) {
      std::atexit([] { _exit(9); });  // before the leak check, which misses what the others own
      return;
    }
    EXPECT_EQ(waitpid(child, &status, 0), child);
  });
  t.start();
  until([&] { return status != -1; });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 9) << status;
}

using watcher_death_test = testing::Test;

TEST(watcher_death_test, an_exception_that_leaves_a_function_ends_the_program) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        timer_watcher t(0ms, 0ms, [] { throw std::runtime_error("not caught"); });
        t.start();
        this_fiber::sleep_for(1min);
      },
      "not caught");
}

}  // namespace
}  // namespace weft
