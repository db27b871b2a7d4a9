// SPDX-License-Identifier: MIT
// What a user's first program needs from an installation: headers, the library, and that they fit each other.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <weft/weft.hpp>

namespace {

// An array that is larger than the stack and its guard, and used beyond both: it would lie in the next fiber's stack.
[[gnu::noinline]] void use_far_below() {
  volatile char room[200'000];
  room[100'000] = 1;
}

bool a_large_frame_meets_the_guard() {
  const pid_t child = fork();
  if (child == 0) {
    // Its message is expected, and so of no interest.
    close(STDERR_FILENO);
    // The stacks above, in memory that can be written to.
    for (int i = 0; i < 8; ++i) weft::spawn([] { weft::this_fiber::yield(); });
    weft::spawn(use_far_below).join();
    _exit(0);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

}  // namespace

int main() {
  using namespace std::chrono_literals;
  if (!a_large_frame_meets_the_guard()) return 2;
  int sum = 0;
  weft::fiber first = weft::spawn([&] {
    weft::this_fiber::sleep_for(1ms);
    sum += 1;
  });
  weft::fiber second = weft::spawn([&] { sum += 2; });
  return first.join() && second.join() && sum == 3 ? 0 : 1;
}
