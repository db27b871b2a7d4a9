// SPDX-License-Identifier: MIT
// docs/tutorial.md: results that come later, and who computes them.
#include <cstdio>
#include <string>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

// [future]
void promises() {
  weft::promise<int> promised;
  weft::future<std::string> text =
      promised.get_future().then([](weft::future<int> f) { return std::to_string(f.get()) + " and more"; });
  weft::spawn([p = std::move(promised)]() mutable { p.set_value(42); });
  std::puts(text.get().c_str());
}
// [end future]

// [offload]
long slow_library_call() { return 6 * 7; }  // as if it blocked its thread

void offloaded() {
  const long answer = weft::offload(slow_library_call);  // other fibers run meanwhile
  std::printf("a thread says %ld\n", answer);
}
// [end offload]

// [executor]
int twice(int n) { return 2 * n; }

void executors() {
  weft::fiber_executor few(3);  // at most three at once, as fibers
  weft::thread_pool threads;    // as threads: for what computes or blocks
  const std::vector<int> numbers{1, 2, 3, 4};
  for (const int n : few.map(twice, numbers)) std::printf("%d ", n);  // in the order of the elements
  int sum = 0;
  for (const int n : threads.map_unordered(twice, numbers)) sum += n;  // as they come
  std::printf("and together %d\n", sum);
}
// [end executor]

// [coroutine]
weft::future<int> sum_of(weft::future<int> a, weft::future<int> b) {
  co_return co_await std::move(a) + co_await std::move(b);
}

void coroutines() {
  weft::fiber_executor fibers;
  std::printf("a coroutine says %d\n", weft::await(sum_of(fibers.submit(twice, 1), fibers.submit(twice, 2))));
}
// [end coroutine]

}  // namespace

int main() {
  promises();
  offloaded();
  executors();
  coroutines();
}
