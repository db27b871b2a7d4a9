// SPDX-License-Identifier: MIT
// An ordinary program of std::threads that times what threads do; it knows nothing of Weft.
//   threads_bench [SCALE]   prints "NAME NANOSECONDS" lines; SCALE (1) multiplies the work
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

constexpr int batches = 51;
double scale = 1;

void require(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::exit(1);
}

int scaled(int count) { return std::max(1, static_cast<int>(count * scale)); }

// Of several batches the middle one, or the quickest where only nanoseconds are to be told apart: a stolen time slice
// spoils a batch, not the figure.
enum class pick { middle, quickest };

template <typename Work>
double nanoseconds_each(int count, pick which, Work work) {
  std::vector<double> each;
  for (int batch = 0; batch < batches; ++batch) {
    const auto start = clock_type::now();
    work(count);
    const std::chrono::duration<double, std::nano> spent = clock_type::now() - start;
    each.push_back(spent.count() / count);
  }
  std::sort(each.begin(), each.end());
  return each[which == pick::middle ? batches / 2 : 0];
}

template <typename Work>
void report(const char* name, int count, pick which, Work work) {
  std::printf("%s %.1f\n", name, nanoseconds_each(scaled(count), which, work));
  std::fflush(stdout);
}

void create_and_join(int count) {
  for (int i = 0; i < count; ++i) std::thread([] {}).join();
}

// Many alive at once: stacks and descriptors are not those of the one before.
void create_then_join(int count) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) threads.emplace_back([] {});
  for (std::thread& thread : threads) thread.join();
}

// One round trip of two threads over a mutex and a condition variable.
void ping_pong(int count) {
  std::mutex mutex;
  std::condition_variable changed;
  bool ping = false;
  const auto side = [&](bool mine) {
    std::unique_lock lock(mutex);
    for (int i = 0; i < count; ++i) {
      changed.wait(lock, [&] { return ping == mine; });
      ping = !mine;
      changed.notify_one();
    }
  };
  std::thread other(side, true);
  side(false);
  other.join();
}

// Calls that never block, from a thread that is not the first.
void nonblocking_calls() {
  const int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  const int tokens = eventfd(0x7fff'ffff, EFD_SEMAPHORE | EFD_CLOEXEC);
  int pair[2];
  require(zero >= 0 && tokens >= 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "open");
  report("syscall.getppid", 10'000, pick::quickest, [](int count) {
    for (int i = 0; i < count; ++i) getppid();
  });
  report("syscall.read_dev_zero", 10'000, pick::quickest, [zero](int count) {
    char byte = 0;
    for (int i = 0; i < count; ++i) require(read(zero, &byte, 1) == 1, "read of /dev/zero");
  });
  report("syscall.read_eventfd", 10'000, pick::quickest, [tokens](int count) {
    unsigned long value = 0;
    for (int i = 0; i < count; ++i) require(read(tokens, &value, sizeof value) == sizeof value, "read of an eventfd");
  });
  report("syscall.recv_dontwait", 10'000, pick::quickest, [&pair](int count) {
    char byte = 0;
    for (int i = 0; i < count; ++i) require(recv(pair[0], &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN, "recv");
  });
  report("syscall.send_and_recv", 3'000, pick::quickest, [&pair](int count) {
    char byte = 0;
    for (int i = 0; i < count; ++i) {
      require(send(pair[0], &byte, 1, 0) == 1, "send");
      require(recv(pair[1], &byte, 1, 0) == 1, "recv");
    }
  });
  for (const int fd : {zero, tokens, pair[0], pair[1]}) close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) scale = std::atof(argv[1]);
  if (argc > 2 || scale <= 0) {
    std::fprintf(stderr, "usage: %s [SCALE]\n", argv[0]);
    return 2;
  }
  try {
    report("create_join", 200, pick::middle, create_and_join);
    report("create_join_of_100", 100, pick::middle, create_then_join);
    report("condvar_round_trip", 500, pick::middle, ping_pong);
    std::thread(nonblocking_calls).join();
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "threads_bench: %s\n", error.what());
    return 1;
  }
}
