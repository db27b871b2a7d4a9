// SPDX-License-Identifier: MIT
#include "weft/readiness.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <optional>
#include <thread>

#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/io.hpp"
#include "weft/test_clock.hpp"
#include "weft/wait.hpp"
#include "weft/waitable.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

static_assert(waitable<readable> && waitable<writable>);

class readiness_test : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0); }
  void TearDown() override {
    for (const int fd : ends) weft::close(fd);
  }
  void put() const { EXPECT_EQ(write(ends[1], "x", 1), 1); }
  bool get() const {
    char c;
    return read(ends[0], &c, 1) == 1;
  }
  // Until each of them waits and no event is at hand.
  static void let_others_run() { EXPECT_TRUE(this_fiber::idle(0, 60s)); }
  int ends[2];
};

template <class W>
bool waits_for(W& object, deadline by = deadline::never()) {
  std::array<waitable_ref, 1> all{object};
  return wait(all, by).size() == 1;
}

TEST_F(readiness_test, says_what_the_kernel_says) {
  readable in(ends[0]);
  writable out(ends[0]);
  EXPECT_EQ(in.fd(), ends[0]);
  EXPECT_FALSE(in.ready());
  EXPECT_TRUE(out.ready());
  put();
  EXPECT_TRUE(in.ready());
  EXPECT_TRUE(get());
  EXPECT_FALSE(in.ready());
}

TEST_F(readiness_test, an_event_ends_the_wait) {
  WEFT_TEST_CLOCK(clock);
  readable in(ends[0]);
  bool came = false;
  const fiber waits = spawn([&] { came = waits_for(in); });
  let_others_run();
  EXPECT_FALSE(came);
  put();
  EXPECT_TRUE(waits.join(60s));
  EXPECT_TRUE(came);
  EXPECT_TRUE(waits_for(in, 0s));
  EXPECT_TRUE(get());
  EXPECT_FALSE(waits_for(in, 1ms));
}

struct counting : detail::subscription {
  counting() {
    notify = [](detail::subscription& me) noexcept { ++static_cast<counting&>(me).told; };
  }
  int told = 0;
};

TEST_F(readiness_test, who_is_told_and_comes_too_late_is_told_again) {
  readable in(ends[0]);
  counting mine;
  in.add_waiter(mine);
  for (int i = 1; i <= 5; ++i) {
    put();
    let_others_run();
    EXPECT_EQ(mine.told, i);
    let_others_run();
    EXPECT_EQ(mine.told, i) << "once, though nobody has seen to it";
    EXPECT_TRUE(get());
    EXPECT_FALSE(in.ready()) << "has looked, so the next one is for it again";
  }
  in.remove_waiter(mine);
  put();
  let_others_run();
  EXPECT_EQ(mine.told, 5);
  in.add_waiter(mine);
  EXPECT_EQ(mine.told, 6) << "ready from the start";
  in.remove_waiter(mine);
}

TEST_F(readiness_test, a_full_socket_can_be_written_to_when_there_is_room) {
  while (write(ends[1], ends, sizeof ends) > 0) {
  }
  writable out(ends[1]);
  bool came = false;
  const fiber waits = spawn([&] { came = waits_for(out); });
  let_others_run();
  EXPECT_FALSE(came);
  char taken[4096];
  while (read(ends[0], taken, sizeof taken) > 0) {
  }
  EXPECT_TRUE(waits.join(60s));
  EXPECT_TRUE(came);
}

TEST_F(readiness_test, several_and_a_plain_waiter_are_all_told) {
  readable one(ends[0]), two(ends[0]);
  std::atomic<int> came{0};
  const fiber a = spawn([&] { came += waits_for(one) ? 1 : 0; });
  const fiber b = spawn([&] { came += waits_for(two) ? 1 : 0; });
  const fiber c = spawn([&] { came += wait_readable(ends[0]) ? 1 : 0; });
  let_others_run();
  put();
  EXPECT_TRUE(a.join(60s) && b.join(60s) && c.join(60s));
  EXPECT_EQ(came, 3);
}

TEST_F(readiness_test, is_ready_when_the_peer_leaves_or_the_descriptor_is_closed) {
  readable in(ends[0]);
  const fiber waits = spawn([&] { EXPECT_TRUE(waits_for(in)); });
  let_others_run();
  weft::close(ends[1]);
  EXPECT_TRUE(waits.join(60s));
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  readable again(ends[0]);
  const fiber waits_again = spawn([&] { EXPECT_TRUE(waits_for(again)); });
  let_others_run();
  weft::close(ends[0]);
  EXPECT_TRUE(waits_again.join(60s));
  EXPECT_TRUE(waits_for(again, 0s));
  readable none(-1);
  EXPECT_TRUE(waits_for(none, 0s)) << "the call on it will fail at once";
}

TEST_F(readiness_test, a_wait_that_was_given_up_leaves_nothing_behind) {
  std::optional<readable> in(ends[0]);
  EXPECT_FALSE(waits_for(*in, 1ms));
  const fiber waits = spawn([&] { (void)waits_for(*in); });
  let_others_run();
  EXPECT_TRUE(waits.kill(60s));
  in.reset();
  put();
  let_others_run();
  EXPECT_TRUE(get());
}

TEST_F(readiness_test, for_fibers_of_other_hubs_and_threads) {
  constexpr int rounds = 100;
  readable in(ends[0]);
  std::atomic<int> got{0}, left{4};
  std::atomic<bool> stop{false};
  const auto take = [&] {
    while (!stop) {
      if (waits_for(in, 200us) && get()) ++got;
    }
    --left;
  };
  std::thread other([&] { spawn(take).join(); }), plain([&] { take(); });
  const fiber a = spawn(take), b = spawn(take);
  for (int i = 1; i <= rounds; ++i) {
    put();
    while (got < i) this_fiber::yield();
  }
  stop = true;
  a.join();
  b.join();
  other.join();
  plain.join();
  EXPECT_EQ(left, 0);
  EXPECT_EQ(got, rounds);
}

TEST_F(readiness_test, destroying_one_that_is_waited_for) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        counting s;
        readable(ends[0]).add_waiter(s);
      },
      "readiness of descriptor .* is destroyed while");
}

}  // namespace
}  // namespace weft
