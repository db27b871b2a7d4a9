// SPDX-License-Identifier: MIT
#include "base/message.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace weft::base {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool readable(int fd) {
  pollfd one{fd, POLLIN, 0};
  return poll(&one, 1, 0) == 1 && (one.revents & POLLIN) != 0;
}

// Standard error is put aside while a test plays with descriptor 2.
class messages : public testing::Test {
 protected:
  void SetUp() override {
    log = testing::TempDir() + "weft-message-" + std::to_string(getpid());
    std::filesystem::remove(log);
    saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
  }
  void TearDown() override {
    dup2(saved, STDERR_FILENO);
    close(saved);
    if (message_fd() >= 0) close(message_fd());
    open_messages(nullptr);
    std::filesystem::remove(log);
  }
  void stderr_is(int fd) {
    dup2(fd, STDERR_FILENO);
    close(fd);
  }
  std::string prefix() const { return "weft[" + std::to_string(getpid()) + "]: "; }

  std::string log;
  int saved = -1;
};

TEST_F(messages, go_to_standard_error) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  stderr_is(ends[1]);
  ASSERT_TRUE(open_messages(nullptr));
  errno = 17;
  message m;
  m << "n is " << 3;
  say(m);
  EXPECT_EQ(errno, 17);
  char got[100] = {};
  ASSERT_GT(read(ends[0], got, sizeof got - 1), 0);
  EXPECT_EQ(got, prefix() + "n is 3\n");
  close(ends[0]);
}

TEST_F(messages, never_enter_a_socket) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  stderr_is(ends[1]);
  ASSERT_TRUE(open_messages(nullptr));
  say("secret");
  write_block("secret");
  EXPECT_FALSE(readable(ends[0]));
  close(ends[0]);
}

TEST_F(messages, never_enter_what_the_program_opens_where_standard_error_was_closed) {
  close(STDERR_FILENO);
  ASSERT_TRUE(open_messages(nullptr));
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  if (ends[1] != STDERR_FILENO) dup2(ends[1], STDERR_FILENO);
  say("secret");
  EXPECT_FALSE(readable(ends[0]));
  if (ends[1] != STDERR_FILENO) close(ends[1]);
  close(ends[0]);
}

TEST_F(messages, raise_no_sigpipe) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  stderr_is(ends[1]);
  close(ends[0]);
  ASSERT_TRUE(open_messages(nullptr));
  ASSERT_EQ(signal(SIGPIPE, SIG_DFL), SIG_DFL);
  say("nobody reads this");
  sigset_t now;
  sigpending(&now);
  EXPECT_FALSE(sigismember(&now, SIGPIPE));
  pthread_sigmask(SIG_BLOCK, nullptr, &now);
  EXPECT_FALSE(sigismember(&now, SIGPIPE));
}

TEST_F(messages, append_to_a_log_whose_descriptor_is_high_and_not_inherited) {
  std::ofstream(log) << "before\n";
  ASSERT_TRUE(open_messages(log.c_str()));
  EXPECT_GE(message_fd(), 200);
  EXPECT_EQ(fcntl(message_fd(), F_GETFD), FD_CLOEXEC);
  const int next = open("/dev/null", O_RDONLY);
  EXPECT_LT(next, 200);
  close(next);
  say("one");
  write_block("two\n");
  EXPECT_EQ(content(log), "before\n" + prefix() + "one\ntwo\n");
}

TEST_F(messages, do_not_enter_what_took_the_place_of_the_log) {
  ASSERT_TRUE(open_messages(log.c_str()));
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(dup2(ends[1], message_fd()), message_fd());
  say("secret");
  EXPECT_FALSE(readable(ends[0]));
  close(ends[0]);
  close(ends[1]);
}

TEST_F(messages, say_that_the_log_cannot_be_opened) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  stderr_is(ends[1]);
  EXPECT_FALSE(open_messages("/nonexistent/weft.log"));
  char got[200] = {};
  ASSERT_GT(read(ends[0], got, sizeof got - 1), 0);
  EXPECT_NE(std::string(got).find("cannot open the log /nonexistent/weft.log"), std::string::npos) << got;
  close(ends[0]);
}

TEST_F(messages, blocks_are_appended_to_files) {
  EXPECT_EQ(append_block(log.c_str(), "a\n"), 0);
  EXPECT_EQ(append_block(log.c_str(), "b\n"), 0);
  EXPECT_EQ(content(log), "a\nb\n");
  EXPECT_EQ(append_block("/nonexistent/x", "a"), -ENOENT);
}

}  // namespace
}  // namespace weft::base
