// SPDX-License-Identifier: MIT
#include "weft/pipe.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "io/sigpipe.hpp"
#include "tests/io/support.hpp"
#include "weft/unique_fd.hpp"

namespace weft {
namespace {

using namespace test;

TEST(pipe, much_passes_through_it) {
  auto [reader, writer] = make_pipe();
  std::string sent(1'000'000, 'x');
  sent.back() = 'y';
  const fiber f = spawn([&, w = std::move(writer)]() mutable { w.write_all(sent); });
  std::string got;
  char room[5000];
  while (const std::size_t n = reader.read_some(room)) got.append(room, n);
  EXPECT_EQ(got, sent);
  f.join();
}

TEST(pipe, lines_and_several_places) {
  auto [reader, writer] = make_pipe();
  const const_buffer parts[] = {"a\nb", "", "c\n"};
  writer.write_all(parts);
  std::string buffer;
  EXPECT_EQ(reader.read_until(buffer, "\n"), 2U);
  char one[1], two[2];
  const mutable_buffer places[] = {mutable_buffer(one), mutable_buffer(two)};
  writer.write_all("xyz");
  EXPECT_EQ(reader.read_some(places), 3U);
}

TEST(pipe, an_end_that_is_closed_answers_so) {
  auto [out, in] = make_pipe();
  const pipe_reader taken = std::move(out);
  in.close();
  in.close();
  pipe_reader never;
  char room[1];
  for (pipe_reader* each : {&out, &never}) {  // NOLINT(bugprone-use-after-move): that is the question
    EXPECT_EQ(failure([&] { each->read_some(room); }), std::errc::bad_file_descriptor);
    EXPECT_EQ(failure([&] { each->read_exactly(room); }), std::errc::bad_file_descriptor);
    EXPECT_EQ(each->native_handle(), -1);
    EXPECT_EQ(each->release(), -1);
  }
  EXPECT_EQ(failure([&in = in] { in.write_all("x"); }), std::errc::bad_file_descriptor);
  EXPECT_EQ(failure([] { pipe_reader none(-1); }), std::errc::bad_file_descriptor);
}

TEST(pipe, nobody_to_read_is_an_error_and_no_signal) {
  auto [reader, writer] = make_pipe();
  reader.close();
  EXPECT_EQ(failure([&w = writer] { w.write_all("x"); }), std::errc::broken_pipe);
}

// What kernels before 6.18 need, and splice and sendfile always.
TEST(pipe, a_signal_of_our_own_is_taken_back_and_no_other) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  close(ends[0]);
  EXPECT_EQ(io::sparing_sigpipe([&] { return write(ends[1], "x", 1); }), -1);
  EXPECT_EQ(errno, EPIPE);
  sigset_t pending;
  sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);

  sigset_t just_pipe, before;
  sigemptyset(&just_pipe);
  sigaddset(&just_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &just_pipe, &before);
  raise(SIGPIPE);
  EXPECT_EQ(io::sparing_sigpipe([&] { return write(ends[1], "x", 1); }), -1);
  sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 1) << "the program's own stays";
  const timespec now{};
  sigtimedwait(&just_pipe, nullptr, &now);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  close(ends[1]);
}

TEST(pipe, what_is_taken_over_is_given_back_as_it_was) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const auto blocking = [&] { return (fcntl(ends[0], F_GETFL) & O_NONBLOCK) == 0; };
  {
    pipe_reader r(ends[0]);
    EXPECT_FALSE(blocking());
    pipe_reader moved = std::move(r);
    EXPECT_FALSE(r.is_open());  // NOLINT(bugprone-use-after-move): that is the question
    EXPECT_EQ(moved.release(), ends[0]);
    EXPECT_TRUE(blocking());
  }
  const unique_fd other(dup(ends[0]));
  { const pipe_reader r(ends[0]); }
  EXPECT_EQ(fcntl(other.get(), F_GETFL) & O_NONBLOCK, 0) << "also for others who have it";
  EXPECT_EQ(failure([] { pipe_reader r(-1); }), std::errc::bad_file_descriptor);
  close(ends[1]);
}

TEST(pipe, a_terminal_is_read_line_by_line) {
  int master = -1, slave = -1;
  ASSERT_EQ(openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
  pipe_writer keyboard(master);
  pipe_reader input(slave);
  const fiber typist = spawn([&] {
    for (const char* line : {"one\n", "two\n"}) {
      settle();
      keyboard.write_all(std::string_view(line));
    }
  });
  std::string buffer;
  EXPECT_EQ(input.read_until(buffer, "one\n"), 4U);
  EXPECT_EQ(input.read_until(buffer, "two\n"), 8U);
  typist.join();
}

TEST(pipe, a_file_never_waits) {
  const unique_fd file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  pipe_reader r(dup(file.get()));
  char room[4];
  r.read_exactly(room);
  EXPECT_EQ(std::string(room + 1, 3), "ELF");
}

}  // namespace
}  // namespace weft
