// SPDX-License-Identifier: MIT
#include "fd/table.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/local_hub.hpp"
#include "fd/watch.hpp"

namespace weft::fd {
namespace {

class table : public testing::Test {
 protected:
  void SetUp() override { core::local_hub(); }
};

void close_noted(int fd) {
  before_close(fd);
  close(fd);
  after_close(fd);
}

TEST_F(table, numbers_that_no_kernel_gives_have_no_slot) {
  EXPECT_EQ(find(-1), nullptr);
  EXPECT_EQ(find(1 << 30), nullptr);
  EXPECT_NE(find(0), nullptr);
}

TEST_F(table, the_kind_is_asked_of_the_kernel) {
  int pipes[2];
  int sockets[2];
  ASSERT_EQ(pipe(pipes), 0);
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets), 0);
  const int event = eventfd(0, 0);
  const int file = open("/proc/self/exe", O_RDONLY);
  const int null = open("/dev/null", O_RDWR);
  EXPECT_EQ(learn(*find(pipes[0]), pipes[0]), kind::pipe);
  EXPECT_EQ(learn(*find(sockets[0]), sockets[0]), kind::datagram);
  EXPECT_EQ(learn(*find(event), event), kind::other);
  EXPECT_EQ(learn(*find(file), file), kind::plain);
  EXPECT_EQ(learn(*find(null), null), kind::plain);
  EXPECT_EQ(find(file)->what(), kind::plain);
  for (const int fd : {pipes[0], pipes[1], sockets[0], sockets[1], event, file, null}) close_noted(fd);
  EXPECT_EQ(find(file)->what(), kind::unknown);
  EXPECT_EQ(learn(*find(file), file), kind::unknown);
}

TEST_F(table, the_status_of_a_sole_descriptor_is_kept_and_of_a_shared_one_asked) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  note_made(fd, kind::stream, false);
  slot& s = *find(fd);
  EXPECT_TRUE(is_sole(s));
  EXPECT_FALSE(is_nonblocking(s, fd));
  fcntl(fd, F_SETFL, O_NONBLOCK);
  EXPECT_FALSE(is_nonblocking(s, fd)) << "set behind the table's back";
  note_nonblocking(s, true);
  EXPECT_TRUE(is_nonblocking(s, fd));
  note_shared(fd);
  EXPECT_FALSE(is_sole(s));
  fcntl(fd, F_SETFL, 0);
  EXPECT_FALSE(is_nonblocking(s, fd));
  close_noted(fd);
}

TEST_F(table, a_fork_shares_all_descriptors) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  note_made(fd, kind::stream, true);
  EXPECT_TRUE(is_sole(*find(fd)));
  note_all_shared();
  EXPECT_FALSE(is_sole(*find(fd)));
  EXPECT_FALSE(is_nonblocking(*find(fd), fd));
  close_noted(fd);
}

TEST_F(table, time_limits_are_kept_until_they_are_set) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  note_made(fd, kind::stream, false);
  slot& s = *find(fd);
  EXPECT_EQ(timeout_of(s, fd, false), 0);
  const timeval limit{1, 500'000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  EXPECT_EQ(timeout_of(s, fd, false), 0);
  note_timeouts(s);
  EXPECT_EQ(timeout_of(s, fd, false), 1'500'000'000);
  EXPECT_EQ(timeout_of(s, fd, true), 0);
  close_noted(fd);
}

TEST_F(table, what_is_wefts_own_is_marked) {
  int own[2];
  const int count = core::local_hub().events.own_fds(own);
  for (int i = 0; i < count; ++i) EXPECT_TRUE(is_reserved(own[i]));
  EXPECT_FALSE(is_reserved(0));
  const int copy = private_copy(0);
  EXPECT_GT(copy, 3);
  EXPECT_TRUE(is_reserved(copy));
  EXPECT_EQ(fcntl(copy, F_GETFD), FD_CLOEXEC);
  unreserve(copy);
  close(copy);
}

}  // namespace
}  // namespace weft::fd
