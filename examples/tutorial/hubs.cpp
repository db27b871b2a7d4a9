// SPDX-License-Identifier: MIT
// docs/tutorial.md: more than one hub.
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

// [hubs]
void two_hubs() {
  weft::channel<int> numbers(16);
  std::atomic<int> sum{0};
  // A thread gets a hub of its own by its first wait; fibers stay on the hub that spawned them.
  std::thread other([&] {
    std::vector<weft::task<>> fibers(4);
    for (weft::task<>& each : fibers) {
      each = weft::spawn([&] {
        for (const int n : numbers) sum += n;
      });
    }
    weft::join_all(fibers);
  });
  for (int i = 1; i <= 100; ++i) (void)numbers.send(i);
  numbers.close();
  other.join();
  std::printf("the sum is %d\n", sum.load());
}
// [end hubs]

// [run]
void thread_per_core() {
  std::atomic<int> done{0};
  weft::run({.hubs = 2}, [&] {
    std::vector<weft::task<>> fibers(100);
    for (weft::task<>& each : fibers) {
      each = weft::spawn([&] { ++done; });  // on the hub that has the fewest
    }
    weft::join_all(fibers);
  });
  std::printf("%d fibers on two hubs\n", done.load());
}
// [end run]

}  // namespace

int main() {
  two_hubs();
  thread_per_core();
}
