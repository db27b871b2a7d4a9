// SPDX-License-Identifier: MIT
// gevent's threadpool.py: a call that blocks its thread goes to a pool of threads, and the other fibers run on meanwhile.
#include <cstdio>
#include <thread>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

int blocks_its_thread(int n) {
  std::this_thread::sleep_for(20ms);  // not this_fiber's
  return n * n;
}

}  // namespace

int main() {
  weft::thread_pool threads({.limit = 3});
  int beats = 0;
  const weft::task<> heart = weft::spawn([&] {
    for (;; ++beats) weft::this_fiber::sleep_for(1ms);
  });
  for (const int square : threads.map(blocks_its_thread, std::vector{1, 2, 3, 4, 5, 6})) std::printf("%d ", square);
  heart.kill();
  std::printf("and the heart has beaten: %s\n", beats > 2 ? "yes" : "no");
}
