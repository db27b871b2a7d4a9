// SPDX-License-Identifier: MIT
#include "fd/watch.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "core/local_hub.hpp"
#include "core/scheduler.hpp"
#include "fd/table.hpp"
#include "plain_order.hpp"
#include "weft/event.hpp"
#include "weft/fiber.hpp"
#include "weft/io.hpp"

namespace weft::fd {
namespace {

constexpr std::int64_t never = core::timers::never;

class watching : public testing::Test {
 protected:
  void SetUp() override {
    core::local_hub();
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  }
  void TearDown() override {
    for (const int fd : ends) close_noted(fd);
  }
  static void close_noted(int fd) {
    before_close(fd);
    ::close(fd);
    after_close(fd);
  }
  int ends[2];
};

TEST_F(watching, a_descriptor_that_becomes_ready_wakes_who_waits) {
  char c = 0;
  const fiber reader = spawn([&] {
    EXPECT_EQ(wait_fd(ends[0], direction::read, never), outcome::woken);
    EXPECT_EQ(read(ends[0], &c, 1), 1);
  });
  this_fiber::yield();
  EXPECT_EQ(write(ends[1], "x", 1), 1);
  reader.join();
  EXPECT_EQ(c, 'x');
}

// At the moment when a wait ends by its deadline its number is found to be another file's: the call must look anew, since it
// has no descriptor to go on with.
TEST_F(watching, a_wait_that_ends_as_its_watch_is_lost_is_stale) {
  outcome ended = outcome::woken;
  const fiber reader = spawn([&] {
    hold held;
    ASSERT_EQ(held.take(ends[0], find(ends[0])->generation.load()), 0);
    ended = held.wait(direction::read, base::monotonic_ns() + 1, false);
    EXPECT_EQ(held.fd(), -1);
  });
  this_fiber::yield();
  core::this_hub()->fire_timers();  // the reader is ready, and has not run yet
  lose(ends[0]);
  reader.join();
  EXPECT_EQ(ended, outcome::stale);
}

// libev learns of a watcher at the next look at the kernel. What another hub's fiber closes before that is gone by then,
// and libev would take it for a bug and abort.
TEST_F(watching, a_descriptor_closed_before_the_kernel_was_asked_wakes_who_waits) {
  WEFT_NEEDS_PLAIN_ORDER();  // else the kernel may be asked first
  const int fd = dup(ends[0]);
  const fiber closer = spawn([fd] { ::close(fd); });
  EXPECT_EQ(wait_fd(fd, direction::read, never), outcome::woken);
  closer.join();
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
  before_close(fd);
  after_close(fd);
}

TEST_F(watching, a_deadline_ends_the_wait) {
  const std::int64_t due = base::monotonic_ns() + 2'000'000;
  EXPECT_EQ(wait_fd(ends[0], direction::read, due), outcome::timed_out);
  EXPECT_GE(base::monotonic_ns(), due);
  EXPECT_EQ(wait_fd(ends[0], direction::write, never), outcome::woken);
}

TEST_F(watching, an_interruption_ends_the_wait_that_allows_it) {
  outcome o = outcome::woken;
  core::fiber* waiting = nullptr;
  const fiber f = spawn([&] {
    waiting = &core::self();
    o = wait_fd(ends[0], direction::read, never, true);
  });
  this_fiber::yield();
  core::interrupt(*waiting);
  f.join();
  EXPECT_EQ(o, outcome::interrupted);
}

TEST_F(watching, each_event_wakes_one_of_the_readers_and_all_are_served) {
  int served = 0;
  std::vector<fiber> readers;
  for (int i = 0; i < 20; ++i) {
    readers.push_back(spawn([&] {
      char c;
      while (read(ends[0], &c, 1) != 1) wait_fd(ends[0], direction::read, never);
      ++served;
    }));
  }
  this_fiber::yield();
  EXPECT_EQ(write(ends[1], "01234567890123456789", 20), 20);
  for (const fiber& f : readers) f.join();
  EXPECT_EQ(served, 20);
}

TEST_F(watching, all_that_only_look_are_told) {
  int told = 0;
  std::vector<fiber> lookers;
  for (int i = 0; i < 40; ++i) {
    lookers.push_back(spawn([&] {
      watch* w = pin(ends[0]);
      EXPECT_EQ(wait(*w, direction::read, never, false, false), outcome::woken);
      unpin(*w);
      ++told;
    }));
  }
  this_fiber::yield();
  EXPECT_EQ(write(ends[1], "x", 1), 1);
  for (const fiber& f : lookers) f.join();
  EXPECT_EQ(told, 40);
}

TEST_F(watching, a_number_used_anew_is_another_descriptor) {
  for (int round = 0; round < 50; ++round) {
    int fds[2];
    ASSERT_EQ(pipe2(fds, O_NONBLOCK), 0);
    const fiber reader = spawn([&] {
      char c;
      while (read(fds[0], &c, 1) != 1) wait_fd(fds[0], direction::read, never);
      EXPECT_EQ(c, 'y');
    });
    this_fiber::yield();
    EXPECT_EQ(write(fds[1], "y", 1), 1);
    reader.join();
    // Somebody else has the description, so that the kernel alone would go on reporting it under the old number.
    const int copy = dup(fds[0]);
    EXPECT_EQ(write(fds[1], "z", 1), 1);
    close_noted(fds[0]);
    close_noted(fds[1]);
    ::close(copy);
  }
}

TEST_F(watching, a_waiter_keeps_what_is_closed_under_it) {
  char c = 0;
  const fiber reader = spawn([&] {
    watch* w = pin(ends[0]);
    while (read(fd_of(*w), &c, 1) != 1) EXPECT_EQ(wait(*w, direction::read, never, false), outcome::woken);
    unpin(*w);
  });
  this_fiber::yield();
  const int number = ends[0];
  close_noted(number);
  int other[2];
  ASSERT_EQ(pipe2(other, O_NONBLOCK), 0);
  EXPECT_EQ(write(ends[1], "x", 1), 1);
  reader.join();
  EXPECT_EQ(c, 'x');
  ends[0] = other[0];
  close_noted(other[1]);
}

TEST_F(watching, a_close_that_wakes_ends_the_wait) {
  outcome o = outcome::woken;
  const fiber f = spawn([&] { o = wait_fd(ends[0], direction::read, never); });
  this_fiber::yield();
  close_waking(ends[0]);
  f.join();
  EXPECT_EQ(o, outcome::closed);
  ends[0] = eventfd(0, 0);
}

// Fibers of several hubs on one descriptor, whose watcher lives on one of them.
TEST_F(watching, hubs_share_a_descriptor) {
  constexpr int hubs = 3, fibers = 8, messages = 200;
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  std::atomic<int> finished{0};
  for (int h = 0; h < hubs; ++h) {
    threads.emplace_back([&] {
      std::vector<fiber> readers;
      for (int i = 0; i < fibers; ++i) {
        readers.push_back(spawn([&] {
          char c;
          while (taken.load() < messages) {
            if (read(ends[0], &c, 1) == 1) {
              ++taken;
            } else {
              wait_fd(ends[0], direction::read, base::monotonic_ns() + 20'000'000);
            }
          }
        }));
      }
      for (const fiber& f : readers) f.join();
      // A hub lives as long as others may have their watchers there.
      ++finished;
      while (finished.load() < hubs) this_fiber::yield();
    });
  }
  for (int i = 0; i < messages; ++i) {
    while (write(ends[1], "m", 1) != 1) wait_fd(ends[1], direction::write, never);
    if (i % 10 == 0) this_fiber::yield();
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(taken.load(), messages);
}

// A wait that begins between the two halves of a close is for a file that nobody can name; whoever gets the number next must
// not find its watch.
TEST_F(watching, a_wait_in_the_midst_of_a_close_looks_anew) {
  int pair[2];
  ASSERT_EQ(pipe2(pair, O_NONBLOCK), 0);
  before_close(pair[0]);
  outcome o = outcome::woken;
  const fiber late = spawn([&] { o = wait_fd(pair[0], direction::read, never); });
  this_fiber::idle();  // the loop has registered it
  ::close(pair[0]);
  const int reused = eventfd(0, EFD_NONBLOCK);
  ASSERT_EQ(reused, pair[0]);
  after_close(pair[0]);
  late.join();
  EXPECT_EQ(o, outcome::stale);
  std::uint64_t value = 0;
  const fiber reader = spawn([&] {
    while (read(reused, &value, sizeof value) < 0) EXPECT_EQ(wait_fd(reused, direction::read, never), outcome::woken);
  });
  this_fiber::yield();
  const std::uint64_t seven = 7;
  EXPECT_EQ(write(reused, &seven, sizeof seven), 8);
  reader.join();
  EXPECT_EQ(value, 7U);
  close_noted(reused);
  close_noted(pair[1]);
}

TEST_F(watching, a_call_that_tried_before_a_close_does_not_wait_for_what_came_behind_it) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_NONBLOCK), 0);
  const std::uint32_t generation = find(fds[0])->generation.load();
  close_noted(fds[0]);
  ASSERT_EQ(eventfd(1, EFD_NONBLOCK), fds[0]);
  hold late;
  EXPECT_EQ(late.take(fds[0], generation), -ESTALE);
  EXPECT_FALSE(late.taken());
  {
    hold now;
    EXPECT_EQ(now.take(fds[0], find(fds[0])->generation.load()), 0);
    EXPECT_EQ(now.wait(direction::read, never, false), outcome::woken);
  }
  for (const int fd : fds) close_noted(fd);
}

TEST_F(watching, a_number_that_is_nobodys_has_no_watch) {
  const int fd = eventfd(0, EFD_NONBLOCK);
  close_noted(fd);
  EXPECT_EQ(pin(fd), nullptr);
  EXPECT_TRUE(wait_readable(fd));
}

// A number that gets another file without a close that was seen.
TEST_F(watching, what_waits_for_a_lost_number_looks_anew) {
  outcome o = outcome::woken;
  const fiber f = spawn([&] { o = wait_fd(ends[0], direction::read, never); });
  this_fiber::yield();
  ::close(ends[0]);
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  ASSERT_EQ(pair[0], ends[0]);
  for (const int fd : pair) note_made(fd, kind::stream, true);
  f.join();
  EXPECT_EQ(o, outcome::stale);
  close_noted(pair[1]);
}

// Waits begin and end on other hubs at every moment of the close of their number.
TEST_F(watching, hubs_close_what_others_begin_and_end_to_wait_for) {
  constexpr int hubs = 2, rounds = 20'000;
  std::atomic<int> number{-1};
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (int h = 0; h < hubs; ++h) {
    threads.emplace_back([&] {
      core::local_hub();
      while (!over.load()) {
        const int fd = number.load();
        if (fd >= 0) wait_fd(fd, direction::read, base::monotonic_ns());
      }
    });
  }
  for (int i = 0; i < rounds; ++i) {
    const int fd = eventfd(0, EFD_NONBLOCK);
    ASSERT_GE(fd, 0);
    number.store(fd);
    if (i % 16 == 0) this_fiber::yield();
    close_noted(fd);
  }
  over.store(true);
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_NONBLOCK), 0);
  const fiber reader = spawn([&] {
    char c = 0;
    while (read(fds[0], &c, 1) != 1) wait_fd(fds[0], direction::read, never);
    EXPECT_EQ(c, 'x');
  });
  this_fiber::yield();
  EXPECT_EQ(write(fds[1], "x", 1), 1);
  reader.join();
  for (const int fd : fds) close_noted(fd);
  for (std::thread& t : threads) t.join();
}

// The watchers are in the loop of the thread that waited first. Nobody runs that any more.
TEST_F(watching, goes_on_elsewhere_when_the_first_thread_has_ended) {
  event first_has_read, leave;
  std::thread first([&] {
    char c;
    spawn([&] { EXPECT_EQ(wait_fd(ends[0], direction::read, never), outcome::woken); }).join();
    EXPECT_EQ(read(ends[0], &c, 1), 1);
    first_has_read.set();
    leave.wait();
  });
  EXPECT_EQ(write(ends[1], "1", 1), 1);
  first_has_read.wait();
  const fiber reader = spawn([&] {
    char c;
    while (read(ends[0], &c, 1) != 1 || c != '2') {
      EXPECT_EQ(wait_fd(ends[0], direction::read, never), outcome::woken);
    }
  });
  this_fiber::yield();
  leave.set();
  first.join();
  EXPECT_EQ(write(ends[1], "2", 1), 1);
  reader.join();
}

TEST_F(watching, begins_anew_where_the_next_one_waits) {
  watch* kept = nullptr;
  std::thread([&] {
    core::local_hub();
    kept = pin(ends[0]);
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(wait(*kept, direction::read, never, false), outcome::woken);
  }).join();
  EXPECT_EQ(kept->home, nullptr);
  const fiber reader = spawn([&] { EXPECT_EQ(wait(*kept, direction::read, never, false), outcome::woken); });
  reader.join();
  EXPECT_EQ(kept->home, core::this_hub());
  unpin(*kept);
}

TEST_F(watching, a_number_closed_when_its_home_has_gone) {
  std::thread([&] {
    core::local_hub();
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(wait_fd(ends[0], direction::read, never), outcome::woken);
  }).join();
  close_noted(ends[0]);
  int again[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, again), 0);
  EXPECT_EQ(again[0], ends[0]);
  EXPECT_EQ(wait_fd(again[0], direction::read, base::monotonic_ns() + 1'000'000), outcome::timed_out);
  close_noted(again[1]);
}

}  // namespace
}  // namespace weft::fd
