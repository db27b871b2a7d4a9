// SPDX-License-Identifier: MIT
#include "weft/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <system_error>
#include <thread>

#include "base/syscall.hpp"
#include "tests/io/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/hub.hpp"
#include "weft/io.hpp"
#include "weft/run.hpp"
#include "weft/test_clock.hpp"
#include "weft/wait.hpp"

namespace weft {
namespace {

using namespace std::chrono_literals;

const process_options all_pipes{.in = stdio::pipe(), .out = stdio::pipe(), .err = stdio::pipe()};

int error_of_start(const std::vector<std::string>& command, const process_options& options = {}) {
  try {
    process p(command, options);
    p.wait();
  } catch (const std::system_error& e) {
    return e.code().value();
  }
  return 0;
}

TEST(processes, the_end_is_told_to_all_who_wait_and_for_ever_after) {
  process p({"cat"}, {.in = stdio::pipe()});
  EXPECT_GT(p.pid(), 0);
  EXPECT_FALSE(p.ready());
  EXPECT_FALSE(p.poll());
  EXPECT_FALSE(p.wait(1ms));
  int told = 0;
  std::vector<fiber> waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(spawn([&] { told += p.wait().success() ? 1 : 0; }));
  this_fiber::yield();
  p.in().close();
  for (const fiber& f : waiting) f.join();
  EXPECT_EQ(told, 10);
  EXPECT_TRUE(p.ready());
  EXPECT_TRUE(p.poll()->success());
  EXPECT_TRUE(p.wait().success());
}

TEST(processes, fibers_of_several_hubs_wait_for_one) {
  process p({"cat"}, {.in = stdio::pipe()});
  std::thread other([&] { spawn([&] { EXPECT_TRUE(p.wait().success()); }).join(); });
  spawn([&] { p.in().close(); }).join();
  EXPECT_TRUE(p.wait().success());
  other.join();
}

static_assert(waitable<process>);

TEST(processes, they_are_waited_for_with_other_things) {
  process p({"cat"}, {.in = stdio::pipe()});
  process q({"cat"}, {.in = stdio::pipe()});
  task<> other = spawn([] {});
  waitable_ref all[] = {p, q, other};
  EXPECT_EQ(wait(all, 1).size(), 1U);
  EXPECT_FALSE(p.ready() || q.ready());
  q.in().close();
  waitable_ref both[] = {p, q};
  const auto first = wait(both, 1);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_TRUE(q.ready());
  p.in().close();
  EXPECT_EQ(wait(both).size(), 2U);
  EXPECT_EQ(wait(both).size(), 2U);  // at once: both have ended
}

TEST(processes, on_each_hub_that_waits_for_one_its_end_is_seen) {
  process p({"cat"}, {.in = stdio::pipe()});
  waitable_ref one[] = {p};
  std::thread other([&] {
    EXPECT_EQ(wait(one).size(), 1U);
    test::settle();
  });
  EXPECT_TRUE(wait(one, 1ms).empty());
  p.in().close();
  EXPECT_EQ(wait(one).size(), 1U);
  other.join();
}

TEST(processes, the_end_is_seen_also_after_a_run_that_did_not_wait_for_it) {
  process p({"cat"}, {.in = stdio::pipe()});
  waitable_ref one[] = {p};
  const auto seen_by = [&](deadline by) {
    return run({.hubs = 2}, [&] { return spawn({.on = hubs()[1]}, [&] { return wait(one, by).size(); }).get(); });
  };
  EXPECT_EQ(seen_by(1ms), 0U);
  p.in().close();
  EXPECT_EQ(seen_by(60s), 1U);
}

TEST(processes, how_it_ended_is_told) {
  EXPECT_EQ(process(shell("exit 7")).wait().code(), 7);
  const exit_status killed = process(shell("kill -KILL $$")).wait();
  EXPECT_TRUE(killed.signaled());
  EXPECT_EQ(killed.signal(), SIGKILL);
}

TEST(processes, communicate_gives_the_input_and_collects_both_outputs) {
  process p(shell("cat; echo oops >&2; exit 3"), all_pipes);
  const auto result = p.communicate("hello");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out, "hello");
  EXPECT_EQ(result->err, "oops\n");
  EXPECT_EQ(p.wait().code(), 3);
  EXPECT_FALSE(p.in() || p.out() || p.err());
}

TEST(processes, communicate_does_not_deadlock_on_full_pipes) {
  const std::string much(1 << 20, 'x');
  process p(shell("tee /dev/stderr"), all_pipes);
  const auto result = p.communicate(much);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out, much);
  EXPECT_EQ(result->err, much);
}

TEST(processes, what_is_not_read_of_the_input_is_dropped) {
  process p({"true"}, all_pipes);
  EXPECT_TRUE(p.communicate(std::string(1 << 20, 'x')));
  EXPECT_TRUE(p.wait().success());
}

TEST(processes, after_a_deadline_communicate_goes_on_where_it_was) {
  int gate[2];
  ASSERT_EQ(pipe2(gate, O_CLOEXEC), 0);
  process p(shell("echo one; read line <&3; cat"),
            {.in = stdio::pipe(), .out = stdio::pipe(), .descriptors = {{3, gate[0]}}});
  EXPECT_FALSE(p.communicate("input", 20ms));
  ASSERT_EQ(write(gate[1], "go\n", 3), 3);
  const auto result = p.communicate();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out, "one\ninput");
  ::close(gate[0]);
  ::close(gate[1]);
}

TEST(processes, the_pipes_are_streams) {
  process p({"cat"}, {.in = stdio::pipe(), .out = stdio::pipe()});
  p.in().write_all("a line\nanother\n");
  std::string buffer;
  const std::size_t n = p.out().read_until(buffer, "\n");
  EXPECT_EQ(buffer.substr(0, n), "a line\n");
  p.in().close();
  EXPECT_TRUE(p.wait().success());
}

TEST(processes, signals_reach_it_and_after_its_end_nobody) {
  process p({"sleep", "100"});
  EXPECT_TRUE(p.terminate());
  EXPECT_EQ(p.wait().signal(), SIGTERM);
  EXPECT_FALSE(p.terminate());
  EXPECT_FALSE(p.kill());
  process q({"sleep", "100"});
  EXPECT_THROW(q.send_signal(1000), std::system_error);
  EXPECT_THROW(q.send_signal_to_group(SIGTERM), std::logic_error);  // it is in ours
  EXPECT_TRUE(q.kill());
  EXPECT_EQ(q.wait().signal(), SIGKILL);
}

TEST(processes, a_group_is_signalled_together) {
  process p(shell("sleep 100 & echo $!; wait"), {.out = stdio::pipe(), .new_group = true});
  std::string line;
  p.out().read_until(line, "\n");
  EXPECT_EQ(getpgid(p.pid()), p.pid());
  EXPECT_TRUE(p.send_signal_to_group(SIGKILL));
  EXPECT_EQ(p.wait().signal(), SIGKILL);
  // The sleeper held the other end of the output.
  char c;
  EXPECT_EQ(p.out().read_some(mutable_buffer(&c, 1)), 0U);
}

TEST(processes, a_group_may_be_another_childs_and_a_session_its_own) {
  process leader({"sleep", "100"}, {.new_group = true});
  process member({"sleep", "100"}, {.group = leader.pid()});
  EXPECT_EQ(getpgid(member.pid()), leader.pid());
  EXPECT_TRUE(member.send_signal_to_group(SIGKILL));
  EXPECT_EQ(leader.wait().signal(), SIGKILL);
  EXPECT_EQ(member.wait().signal(), SIGKILL);
  process own({"sleep", "100"}, {.new_session = true});
  EXPECT_EQ(getsid(own.pid()), own.pid());
  own.kill();
  own.wait();
}

TEST(processes, folder_and_environment_are_as_asked) {
  EXPECT_EQ(run_process({"pwd"}, {}, {.out = stdio::pipe(), .cwd = "/usr"}).out, "/usr\n");
  EXPECT_EQ(run_process({"/usr/bin/env"}, {}, {.out = stdio::pipe(), .environment = {{"A=1", "B=two"}}}).out,
            "A=1\nB=two\n");
  EXPECT_EQ(run_process({"/usr/bin/env"}, {}, {.out = stdio::pipe(), .environment = std::vector<std::string>()}).out,
            "");
  setenv("WEFT_TEST_VARIABLE", "inherited", 1);
  EXPECT_EQ(check_output(shell("echo $WEFT_TEST_VARIABLE")), "inherited\n");
}

TEST(processes, streams_go_to_descriptors_nowhere_and_each_other) {
  char name[] = "/tmp/weft-process-XXXXXX";
  const int file = mkstemp(name);
  ASSERT_GE(file, 0);
  unlink(name);
  EXPECT_TRUE(
      process(shell("echo out; echo err >&2"), {.in = stdio::null(), .out = stdio::from(file), .err = stdio::output()})
          .wait()
          .success());
  char text[32] = {};
  EXPECT_EQ(pread(file, text, sizeof text, 0), 8);
  EXPECT_STREQ(text, "out\nerr\n");
  ::close(file);
  EXPECT_EQ(
      run_process(shell("cat; echo x >&2"), {}, {.in = stdio::null(), .out = stdio::pipe(), .err = stdio::null()}).out,
      "");
}

TEST(processes, descriptors_are_passed_also_crosswise_and_others_are_not) {
  int one[2], two[2], stray[2];
  ASSERT_EQ(pipe(one), 0);
  ASSERT_EQ(pipe(two), 0);
  ASSERT_EQ(pipe(stray), 0);
  // The child's numbers are the parent's of the other one.
  const std::string a = std::to_string(one[1]), b = std::to_string(two[1]), c = std::to_string(stray[1]);
  const process_options crossed{.descriptors = {{one[1], two[1]}, {two[1], one[1]}}};
  process p(shell("echo a >&" + a + "; echo b >&" + b + "; test ! -e /proc/self/fd/" + c), crossed);
  EXPECT_TRUE(p.wait().success());
  char text[8] = {};
  EXPECT_EQ(read(one[0], text, sizeof text), 2);
  EXPECT_EQ(text[0], 'b');
  EXPECT_EQ(read(two[0], text, sizeof text), 2);
  EXPECT_EQ(text[0], 'a');
  EXPECT_TRUE(process(shell("test -e /proc/self/fd/" + c), {.close_others = false}).wait().success());
  for (const int* ends : {one, two, stray}) {
    ::close(ends[0]);
    ::close(ends[1]);
  }
}

TEST(processes, standard_streams_may_be_exchanged) {
  // In the child 1 is what 2 is here, and the contrary: seen by making both pipes of ours for a moment.
  int out[2], err[2];
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(err, O_CLOEXEC), 0);
  const int kept_out = dup(1), kept_err = dup(2);
  dup2(out[1], 1);
  dup2(err[1], 2);
  process p(shell("echo out; echo err >&2"), {.out = stdio::from(2), .err = stdio::from(1)});
  const bool success = p.wait().success();
  dup2(kept_out, 1);
  dup2(kept_err, 2);
  EXPECT_TRUE(success);
  char text[8] = {};
  EXPECT_EQ(read(out[0], text, sizeof text), 4);
  EXPECT_STREQ(text, "err\n");
  EXPECT_EQ(read(err[0], text, sizeof text), 4);
  EXPECT_STREQ(text, "out\n");
  for (const int fd : {out[0], out[1], err[0], err[1], kept_out, kept_err}) ::close(fd);
}

TEST(processes, it_starts_with_no_signal_blocked_and_the_default_for_sigpipe) {
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  const std::string states = check_output(shell("grep -E 'SigBlk|SigIgn' /proc/self/status"));
  ::signal(SIGPIPE, before);
  pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
  EXPECT_NE(states.find("SigBlk:\t0000000000000000"), std::string::npos) << states;
  const std::size_t ignored = states.find("SigIgn:\t");
  ASSERT_NE(ignored, std::string::npos) << states;
  EXPECT_EQ(std::stoull(states.substr(ignored + 8), nullptr, 16) >> (SIGPIPE - 1) & 1, 0U) << states;
}

TEST(processes, what_cannot_be_started_throws_the_systems_error) {
  EXPECT_EQ(error_of_start({"weft-no-such-program"}), ENOENT);
  EXPECT_EQ(error_of_start({"/tmp"}), EACCES);
  EXPECT_EQ(error_of_start({"true"}, {.cwd = "/no/such/folder"}), ENOENT);
  EXPECT_EQ(error_of_start({}), EINVAL);
  EXPECT_EQ(error_of_start({std::string("tr\0ue", 5)}), EINVAL);
  EXPECT_EQ(error_of_start({"true"}, {.out = stdio::output()}), EINVAL);
  EXPECT_EQ(error_of_start({"true"}, {.descriptors = {{2, 1}}}), EINVAL);
  EXPECT_EQ(error_of_start({"true"}, {.out = stdio::from(987654)}), EBADF);
  EXPECT_EQ(error_of_start({"true"}, {.search_path = false}), ENOENT);
}

TEST(processes, a_folder_that_is_not_there_is_named) {
  try {
    process p({"true"}, {.cwd = "/no/such/folder"});
    FAIL();
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::error_code(ENOENT, std::system_category()));
    EXPECT_STREQ(e.what(), "weft: the folder /no/such/folder: No such file or directory");
  }
}

TEST(processes, if_somebody_else_takes_the_status_it_is_unknown) {
  process p({"true"});
  int word = 0;
  EXPECT_EQ(waitpid(p.pid(), &word, 0), p.pid());
  EXPECT_FALSE(p.wait().known());
}

TEST(processes, an_abandoned_child_runs_on_and_is_reaped_later) {
  int gate[2];
  ASSERT_EQ(pipe2(gate, O_CLOEXEC), 0);
  pid_t pid;
  {
    process p({"cat"}, {.in = stdio::from(gate[0])});
    pid = p.pid();
  }
  EXPECT_EQ(::kill(pid, 0), 0);
  ::close(gate[0]);
  ::close(gate[1]);
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);  // a zombie
  process({"true"}).wait();
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(processes, one_may_be_moved) {
  process p({"cat"}, {.in = stdio::pipe()});
  process q({"true"});
  q = std::move(p);
  q.in().close();
  EXPECT_TRUE(q.wait().success());
}

TEST(processes, a_cancelled_wait_leaves_the_child_alone_and_loses_no_output) {
  process p(shell("echo begun; cat"), {.in = stdio::pipe(), .out = stdio::pipe()});
  EXPECT_TRUE(test::cancels([&] { p.wait(); }));
  process q({"sleep", "100"}, {.out = stdio::pipe()});
  EXPECT_TRUE(test::cancels([&] { q.communicate(); }));
  EXPECT_FALSE(q.ready());
  q.kill();
  EXPECT_EQ(p.communicate("input")->out, "begun\ninput");
}

TEST(running, a_cancelled_run_kills_its_process) {
  EXPECT_TRUE(test::cancels([] { run_process({"sleep", "1000000"}); }));
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // it was waited for: there is no child
}

TEST(processes, without_pidfds_the_end_is_found_too) {
  const pid_t child = fork();
  if (child == 0) {
    sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program{4, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
      _exit(77);
    process p({"cat"}, {.in = stdio::pipe()});
    if (p.wait(3ms)) _exit(1);
    p.in().close();
    _exit(p.wait().success() ? 0 : 2);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "no seccomp filters here";
  EXPECT_EQ(status, 0);
}

TEST(running, the_output_of_a_command_in_one_call) {
  EXPECT_EQ(check_output({"echo", "two words"}), "two words\n");
  EXPECT_EQ(check_output({"tr", "a-z", "A-Z"}, "loud"), "LOUD");
  const completed_process c = run_process(shell("echo x; exit 5"), {}, {.out = stdio::pipe()});
  EXPECT_EQ(c.out, "x\n");
  EXPECT_EQ(c.status.code(), 5);
}

TEST(running, a_failure_is_told_with_what_was_written) {
  try {
    check_output(shell("echo half; exit 2"));
    ADD_FAILURE();
  } catch (const process_error& e) {
    EXPECT_STREQ(e.what(), "/bin/sh exited with 2");
    EXPECT_EQ(e.result().out, "half\n");
    EXPECT_EQ(e.result().status.code(), 2);
    EXPECT_FALSE(e.timed_out());
  }
  try {
    check_output(shell("kill -TERM $$"));
    ADD_FAILURE();
  } catch (const process_error& e) {
    EXPECT_STREQ(e.what(), "/bin/sh was killed by SIGTERM");
  }
}

TEST(running, what_does_not_end_in_time_is_killed_with_its_group) {
  char name[] = "/tmp/weft-process-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  const std::string fifo = std::string(name) + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const int reader = open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  WEFT_TEST_CLOCK(clock, {.jumps = false});
  const fiber late = spawn([&] {
    char word[8];
    EXPECT_TRUE(wait_readable(reader));
    EXPECT_EQ(read(reader, word, sizeof word), 6);
    clock.advance(1min);
  });
  try {
    run_process(shell("exec 3>" + fifo + "; echo begun; echo begun >&3; sleep 100 & sleep 100"), {},
                {.out = stdio::pipe(), .new_group = true}, 1min);
    ADD_FAILURE();
  } catch (const process_error& e) {
    EXPECT_TRUE(e.timed_out());
    EXPECT_EQ(e.result().status.signal(), SIGKILL);
    EXPECT_EQ(e.result().out, "begun\n");
  }
  late.join();
  // All that had the other end are gone.
  EXPECT_TRUE(wait_readable(reader));
  char c;
  EXPECT_EQ(read(reader, &c, 1), 0);
  ::close(reader);
  unlink(fifo.c_str());
  rmdir(name);
}

}  // namespace
}  // namespace weft
