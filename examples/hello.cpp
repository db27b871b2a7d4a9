// SPDX-License-Identifier: MIT
// A hundred thousand fibers, each asleep at the same time, on the one thread of the program.
#include <chrono>
#include <cstdio>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

int main() {
  const auto start = std::chrono::steady_clock::now();
  int woken = 0;  // no lock: fibers of one hub do not run at the same time
  std::vector<weft::fiber> fibers;
  for (int i = 0; i < 100'000; ++i) {
    fibers.push_back(weft::spawn([&woken, i] {
      weft::this_fiber::sleep_for(1s + i * 1us);
      ++woken;
    }));
  }

  if (!fibers.back().join(50ms)) std::puts("the last one sleeps still");
  for (const weft::fiber& fiber : fibers) fiber.join();

  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::printf("%d fibers have slept, in %.1f s together\n", woken, took.count());
}
