// SPDX-License-Identifier: MIT
#include "weft/io.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/plain_threads.hpp"
#include "weft/detail/cancel_record.hpp"
#include "weft/fiber.hpp"
#include "weft/test_clock.hpp"

namespace weft {
namespace {

using namespace std::chrono_literals;

class waiting : public testing::Test {
 protected:
  void SetUp() override {
    for (auto& p : pairs) ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p), 0);
  }
  void TearDown() override {
    for (auto& p : pairs) {
      for (const int fd : p) close(fd);
    }
  }
  void fill(int i) {
    const std::vector<char> much(1 << 16);
    while (write(pairs[i][0], much.data(), much.size()) > 0) {
    }
  }
  int pairs[8][2];
};

TEST_F(waiting, for_both_directions_the_first_that_is_ready_is_told) {
  WEFT_TEST_CLOCK(clock);
  EXPECT_EQ(wait_ready(pairs[0][0], POLLIN | POLLOUT), POLLOUT);
  fill(0);
  const fiber writer = spawn([&] { EXPECT_EQ(write(pairs[0][1], "x", 1), 1); });
  EXPECT_EQ(wait_ready(pairs[0][0], POLLIN | POLLOUT), POLLIN);
  writer.join();
  EXPECT_EQ(wait_ready(pairs[1][0], POLLIN, 1ms), 0);
}

TEST_F(waiting, errors_are_told_unasked) {
  ::shutdown(pairs[0][1], SHUT_RDWR);
  EXPECT_EQ(wait_ready(pairs[0][0], POLLIN) & POLLHUP, POLLHUP);
  EXPECT_EQ(wait_ready(-1, POLLIN), POLLNVAL);
  EXPECT_EQ(wait_ready(987654, POLLIN), POLLNVAL);
}

TEST_F(waiting, urgent_data_is_an_event_too) {
  // Only epoll knows of it.
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), size), 0);
  const int server = accept(listener, nullptr, nullptr);
  const fiber sender = spawn([&] { EXPECT_EQ(send(client, "!", 1, MSG_OOB), 1); });
  EXPECT_EQ(wait_ready(server, POLLPRI), POLLPRI);
  sender.join();
  for (const int fd : {listener, client, server}) close(fd);
}

TEST_F(waiting, any_number_of_fibers_of_several_hubs_are_told_of_one_descriptor) {
  std::atomic<int> told{0}, there{0};
  const auto wait_all = [&] {
    std::vector<fiber> all;
    for (int i = 0; i < 50; ++i) {
      all.push_back(spawn([&] {
        ++there;
        told += wait_ready(pairs[0][0], POLLIN) == POLLIN ? 1 : 0;
      }));
    }
    for (const fiber& f : all) f.join();
  };
  // The hub where the descriptor is at home, either of them, has to run until all have been told.
  std::atomic<bool> over{false};
  std::thread other([&] {
    wait_all();
    while (!over) this_fiber::yield();
  });
  const fiber here = spawn(wait_all);
  while (there < 100) this_fiber::yield();
  ASSERT_EQ(write(pairs[0][1], "x", 1), 1);
  while (told < 100) this_fiber::yield();
  over = true;
  here.join();
  other.join();
}

// A few wait by the watches of the descriptors, many by an epoll of the call's own.
TEST_F(waiting, the_ready_ones_of_few_and_of_many_are_marked) {
  WEFT_TEST_CLOCK(clock);
  for (const std::size_t count : {std::size_t{3}, std::size_t{8}}) {
    std::vector<pollfd> set;
    for (std::size_t i = 0; i < count; ++i) set.push_back({pairs[i][0], POLLIN, -1});
    EXPECT_EQ(poll(set, 1ms), 0);
    const std::size_t last = count - 1;
    const fiber writer = spawn([&] {
      EXPECT_EQ(write(pairs[last][1], "x", 1), 1);
      EXPECT_EQ(write(pairs[1][1], "x", 1), 1);
    });
    EXPECT_EQ(poll(set), 2);
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(set[i].revents, i == last || i == 1 ? POLLIN : 0) << i;
    writer.join();
    for (const std::size_t i : {last, std::size_t{1}}) {
      char c;
      EXPECT_EQ(read(pairs[i][0], &c, 1), 1);
    }
  }
}

TEST_F(waiting, a_descriptor_may_be_named_twice_and_negative_ones_are_left_out) {
  pollfd set[] = {{pairs[0][0], POLLIN, 0}, {-1, POLLIN, 77}, {pairs[0][0], POLLIN, 0}, {pairs[0][0], 0, 0}};
  const fiber writer = spawn([&] { EXPECT_EQ(write(pairs[0][1], "x", 1), 1); });
  EXPECT_EQ(poll(set), 2);
  EXPECT_EQ(set[1].revents, 0);
  writer.join();
}

TEST_F(waiting, without_descriptors_it_sleeps) {
  WEFT_TEST_CLOCK(clock);
  EXPECT_EQ(poll({}, 2ms), 0);
  EXPECT_EQ(clock.elapsed(), 2ms);
}

TEST_F(waiting, a_deadline_that_has_passed_means_look) {
  ASSERT_EQ(write(pairs[0][1], "x", 1), 1);
  EXPECT_EQ(wait_ready(pairs[0][0], POLLIN, 0ms), POLLIN);
  EXPECT_EQ(wait_ready(pairs[1][0], POLLIN, deadline::from_ns(0)), 0);
}

TEST_F(waiting, a_sleep_until_a_point_that_has_passed_looks_at_descriptors) {
  bool told = false;
  const fiber reader = spawn([&] { told = wait_readable(pairs[0][0]); });
  this_fiber::yield();
  ASSERT_EQ(write(pairs[0][1], "x", 1), 1);
  for (int i = 0; i < 2; ++i) this_fiber::sleep_for(0s);  // one to see it, one to let the reader run
  EXPECT_TRUE(told);
  EXPECT_TRUE(reader.join(60s));
}

TEST_F(waiting, a_close_wakes_who_waits) {
  short seen = 0;
  const fiber f = spawn([&] { seen = wait_ready(pairs[0][0], POLLIN); });
  this_fiber::yield();
  close(pairs[0][0]);
  f.join();
  EXPECT_EQ(seen, POLLNVAL);
  pairs[0][0] = eventfd(0, EFD_CLOEXEC);
}

TEST_F(waiting, more_descriptors_than_the_process_may_have_are_refused) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit low{64, limit.rlim_max};
  const std::vector<pollfd> many(65, pollfd{-1, POLLIN, 0});
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  auto copy = many;
  EXPECT_THROW(poll(copy), std::system_error);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

struct over {};

TEST_F(waiting, cancellation_ends_each_kind_of_wait) {
  WEFT_TEST_CLOCK(clock);
  std::vector<pollfd> few, many;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i < 3) few.push_back({pairs[i][0], POLLIN, 0});
    many.push_back({pairs[i][0], POLLIN, 0});
  }
  const auto cancelled_in = [](auto wait) {
    detail::cancel_record limit([](detail::cancel_record&) { throw over(); });
    limit.enter(1ms);
    try {
      wait();
    } catch (const over&) {
      limit.leave();
      return true;
    }
    limit.leave();
    return false;
  };
  EXPECT_TRUE(cancelled_in([&] { wait_readable(pairs[0][0]); }));
  EXPECT_TRUE(cancelled_in([&] { wait_ready(pairs[0][0], POLLIN); }));
  EXPECT_TRUE(cancelled_in([&] { poll(few); }));
  EXPECT_TRUE(cancelled_in([&] { poll(many); }));
  EXPECT_TRUE(cancelled_in([&] { poll({}); }));
  // And leaves the descriptors as they were.
  ASSERT_EQ(write(pairs[0][1], "x", 1), 1);
  EXPECT_EQ(poll(few), 1);
  EXPECT_EQ(poll(many), 1);
}

}  // namespace
}  // namespace weft
