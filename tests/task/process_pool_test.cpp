// SPDX-License-Identifier: MIT
#include "weft/process_pool.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/core/cancelling.hpp"
#include "tests/core/eventually.hpp"
#include "weft/fiber.hpp"
#include "weft/offload.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using test::eventually;
using testing_support::cancels;

int add(int a, int b) { return a + b; }
pid_t own_pid() { return getpid(); }
std::size_t length(const std::string& s) { return s.size(); }
std::map<std::string, int> count(const std::vector<std::string>& words) {
  std::map<std::string, int> found;
  for (const auto& w : words) ++found[w];
  return found;
}
void nothing() {}
int fails(int code) {
  if (code == 1) throw std::out_of_range("far");
  if (code == 2) throw 5;
  if (code == 3) throw std::string("text");
  return code;
}
void dies(int signal_number) { raise(signal_number); }
void exits(int code) { _exit(code); }
void closes_its_socket() { close(3); }
std::string large(std::size_t size) { return std::string(size, 'x'); }

// Blocks until a file is there, so that nothing depends on time.
void waits_for(const std::string& file) {
  while (access(file.c_str(), F_OK) != 0) usleep(1000);
}

// A name for a file that does not exist, gone with this.
class flag {
 public:
  flag() {
    static std::atomic<int> number{0};
    name_ = "/tmp/weft-process-pool-test." + std::to_string(getpid()) + "." + std::to_string(number++);
  }
  ~flag() { unlink(name_.c_str()); }
  const std::string& name() const { return name_; }
  void raise() const { close(open(name_.c_str(), O_CREAT | O_WRONLY, 0600)); }

 private:
  std::string name_;
};

TEST(process_pool, calls_a_function_in_another_process) {
  process_pool pool({.limit = 1});
  EXPECT_TRUE(pool.workers().empty()) << "none is made before there is a task";
  EXPECT_EQ(pool.submit<add>(1, 2).get(), 3);
  const pid_t worker = pool.apply<own_pid>();
  EXPECT_NE(worker, getpid());
  EXPECT_EQ(pool.apply<own_pid>(), worker) << "it is used again";
  EXPECT_EQ(pool.workers(), std::vector<pid_t>{worker});
  pool.apply<nothing>();
}

TEST(process_pool, sends_strings_containers_and_lambdas) {
  process_pool pool({.limit = 1});
  EXPECT_EQ(pool.apply<length>("12345"), 5U);
  EXPECT_EQ(pool.apply<count>(std::vector<std::string>{"a", "b", "a"}),
            (std::map<std::string, int>{{"a", 2}, {"b", 1}}));
  EXPECT_EQ((pool.apply<[](int a, std::string b) { return std::tuple(b, a); }>(1, "x")),
            std::tuple(std::string("x"), 1));
  EXPECT_EQ((pool.apply<[](int a) noexcept { return a + 1; }>(1)), 2);
  EXPECT_EQ((pool.apply<[](int a) noexcept { return a + 2; }>(1)), 3) << "another lambda of the same type of call";
}

TEST(process_pool, a_message_of_many_bytes) {
  process_pool pool({.limit = 1});
  EXPECT_EQ(pool.apply<length>(std::string(5'000'000, 'x')), 5'000'000U);
  EXPECT_EQ(pool.apply<large>(std::size_t{5'000'000}).size(), 5'000'000U);
}

TEST(process_pool, messages_have_a_limit) {
  process_pool pool({.limit = 1, .message_bytes = 1000});
  EXPECT_THROW(pool.submit<length>(std::string(2000, 'x')), std::length_error);
  EXPECT_THROW(pool.apply<large>(std::size_t{2000}), std::length_error);
  EXPECT_EQ(pool.apply<large>(std::size_t{900}).size(), 900U) << "the worker goes on";
}

TEST(process_pool, exceptions_come_back) {
  process_pool pool({.limit = 1});
  try {
    pool.apply<fails>(1);
    FAIL();
  } catch (const remote_error& e) {
    EXPECT_EQ(e.type(), "std::out_of_range");
    EXPECT_STREQ(e.what(), "std::out_of_range: far");
  }
  try {
    pool.apply<fails>(2);
    FAIL();
  } catch (const remote_error& e) {
    EXPECT_EQ(e.type(), "int");
  }
  EXPECT_THROW(pool.apply<fails>(3), remote_error);
  EXPECT_EQ(pool.apply<fails>(0), 0);
}

TEST(process_pool, a_worker_that_dies_fails_its_task_and_is_replaced) {
  process_pool pool({.limit = 1});
  const pid_t first = pool.apply<own_pid>();
  try {
    pool.apply<dies>(SIGKILL);
    FAIL();
  } catch (const worker_died& e) {
    EXPECT_EQ(e.pid(), first);
    EXPECT_TRUE(WIFSIGNALED(e.status()));
    EXPECT_EQ(WTERMSIG(e.status()), SIGKILL);
    EXPECT_NE(std::string(e.what()).find("signal 9"), std::string::npos) << e.what();
  }
  try {
    pool.apply<exits>(3);
    FAIL();
  } catch (const worker_died& e) {
    EXPECT_EQ(WEXITSTATUS(e.status()), 3);
    EXPECT_NE(std::string(e.what()).find("exit status 3"), std::string::npos) << e.what();
  }
  EXPECT_THROW(pool.apply<closes_its_socket>(), worker_died);
  EXPECT_EQ(pool.apply<add>(1, 1), 2);
  EXPECT_EQ(pool.workers().size(), 1U);
}

TEST(process_pool, of_many_tasks_none_is_lost_when_workers_die) {
  process_pool pool({.limit = 2});
  std::vector<future<int>> good;
  std::vector<future<void>> bad;
  for (int i = 0; i < 12; ++i) {
    good.push_back(pool.submit<add>(i, 0));
    if (i % 4 == 0) bad.push_back(pool.submit<dies>(SIGKILL));
  }
  for (int i = 0; i < 12; ++i) EXPECT_EQ(good[static_cast<std::size_t>(i)].get(), i);
  for (auto& f : bad) EXPECT_THROW(f.get(), worker_died);
}

TEST(process_pool, an_idle_worker_that_dies_is_replaced_without_a_word) {
  process_pool pool({.limit = 1});
  const pid_t first = pool.apply<own_pid>();
  kill(first, SIGKILL);
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(first), &info, WEXITED | WNOWAIT), 0);
  const pid_t second = pool.apply<own_pid>();
  EXPECT_NE(second, first);
  EXPECT_EQ(waitpid(first, nullptr, 0), -1) << "it was waited for";
}

TEST(process_pool, a_task_that_takes_too_long_is_ended) {
  process_pool pool({.limit = 1, .task_time = 200ms});
  const flag never;
  try {
    pool.apply<waits_for>(never.name());
    FAIL();
  } catch (const worker_died& e) {
    EXPECT_NE(std::string(e.what()).find("task_time"), std::string::npos) << e.what();
  }
}

TEST(process_pool, a_worker_is_replaced_after_so_many_tasks) {
  process_pool pool({.limit = 1, .tasks_per_worker = 2});
  std::vector<pid_t> by;
  for (int i = 0; i < 6; ++i) by.push_back(pool.apply<own_pid>());
  EXPECT_EQ(by[0], by[1]);
  EXPECT_EQ(by[2], by[3]);
  EXPECT_EQ(by[4], by[5]);
  EXPECT_EQ(std::set<pid_t>(by.begin(), by.end()).size(), 3U);
}

TEST(process_pool, runs_no_more_at_once_than_the_limit) {
  process_pool pool({.limit = 2});
  const flag go;
  std::vector<future<void>> all;
  for (int i = 0; i < 4; ++i) all.push_back(pool.submit<waits_for>(go.name()));
  EXPECT_TRUE(eventually([&] { return pool.workers().size() == 2; }, 60s));
  EXPECT_EQ(pool.unfinished(), 4U);
  go.raise();
  for (auto& f : all) f.get();
  EXPECT_EQ(pool.workers().size(), 2U);
}

TEST(process_pool, terminate_kills_what_runs_and_cancels_the_rest) {
  process_pool pool({.limit = 1});
  const flag never;
  future<void> running = pool.submit<waits_for>(never.name());
  EXPECT_TRUE(eventually([&] { return pool.workers().size() == 1; }, 60s));
  future<int> waiting = pool.submit<add>(1, 1);
  pool.terminate();
  EXPECT_THROW(running.get(), worker_died);
  EXPECT_THROW(waiting.get(), task_cancelled);
  EXPECT_EQ(pool.apply<add>(1, 1), 2) << "it can be used on";
}

TEST(process_pool, map_and_shutdown) {
  process_pool pool({.limit = 2});
  std::vector<std::string> words{"a", "bb", "ccc"};
  std::vector<std::size_t> sizes;
  for (std::size_t n : pool.map<length>(words, 2)) sizes.push_back(n);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 2, 3}));
  std::size_t sum = 0;
  for (std::size_t n : pool.map_unordered<length>(words)) sum += n;
  EXPECT_EQ(sum, 6U);
  EXPECT_TRUE(pool.shutdown());
  EXPECT_THROW(pool.submit<add>(1, 1), executor_closed);
}

TEST(process_pool, every_wait_can_be_cancelled) {
  process_pool pool({.limit = 1});
  const flag go;
  future<void> running = pool.submit<waits_for>(go.name());
  EXPECT_TRUE(cancels([&] { running.get(); }));
  EXPECT_TRUE(cancels([&] { pool.join(); }));
  EXPECT_FALSE(pool.join(1ms));
  EXPECT_TRUE(cancels([&] { pool.apply<nothing>(); }));
  EXPECT_EQ(pool.cancel_pending(), 1U) << "its future is cancelled, and it is dropped when its turn comes";
  go.raise();
  running.get();
}

std::string open_descriptors() {
  std::string found;
  DIR* all = opendir("/proc/self/fd");
  while (const dirent* one = readdir(all)) {
    if (one->d_name[0] != '.' && atoi(one->d_name) != dirfd(all)) found += std::string(one->d_name) + " ";
  }
  closedir(all);
  return found;
}
bool lets_signals_in() {
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  return sigismember(&mask, SIGTERM) == 0 && signal(SIGINT, SIG_IGN) == SIG_IGN;
}

TEST(process_pool, a_worker_has_none_of_the_programs_descriptors_and_masks) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);  // not close-on-exec
  process_pool pool({.limit = 1});
  std::string fds = pool.apply<open_descriptors>();
  close(ends[0]);
  close(ends[1]);
  std::set<int> numbers;
  for (std::size_t at = 0; at < fds.size(); at = fds.find(' ', at) + 1) numbers.insert(atoi(fds.c_str() + at));
  EXPECT_EQ(numbers, (std::set<int>{0, 1, 2, 3})) << fds;
  EXPECT_TRUE(pool.apply<lets_signals_in>());
}

TEST(process_pool, a_task_may_use_fibers_and_threads) {
  process_pool pool({.limit = 1});
  EXPECT_EQ((pool.apply<[] {
              int sum = 0;
              const fiber f = spawn([&] { sum = offload([] { return 5; }); });
              f.join();
              return sum;
            }>()),
            5);
}

TEST(process_pool, works_from_threads_hubs_and_fibers_at_once) {
  process_pool pool({.limit = 2});
  std::atomic<int> sum{0};
  std::vector<std::thread> users;
  for (int t = 0; t < 2; ++t) {
    users.emplace_back([&] {
      for (int i = 0; i < 10; ++i) sum += pool.apply<add>(i, 0);
    });
  }
  std::vector<fiber> fibers;
  for (int i = 0; i < 10; ++i) fibers.push_back(spawn([&, i] { sum += pool.apply<add>(i, 0); }));
  for (const fiber& f : fibers) f.join();
  for (auto& t : users) t.join();
  EXPECT_EQ(sum, 3 * 45);
}

TEST(process_pool, a_fork_child_has_an_empty_pool) {
  process_pool pool({.limit = 1});
  const pid_t worker = pool.apply<own_pid>();
  const pid_t child = fork();
  if (child == 0) _exit(pool.workers().empty() ? 0 : 1);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(pool.apply<own_pid>(), worker);
}

TEST(process_pool, nothing_is_left_behind) {
  pid_t worker = 0;
  {
    process_pool pool({.limit = 1});
    worker = pool.apply<own_pid>();
  }
  EXPECT_EQ(kill(worker, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

}  // namespace
}  // namespace weft

int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "without_run_if_worker") {
    try {
      const weft::process_pool pool;
    } catch (const std::logic_error&) {
      return 0;
    }
    return 1;
  }
  weft::run_if_worker(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
