// SPDX-License-Identifier: MIT
// docs/tutorial.md: a program that knows nothing of Weft.
// [unmodified]
#include <cstdio>
#include <fstream>
#include <latch>
#include <string>
#include <thread>
#include <vector>

int os_threads() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("Threads:", 0) == 0) return std::stoi(line.substr(8));
  }
  return 0;
}

int main() {
  std::latch seen(1);
  std::vector<std::thread> waiting;
  for (int i = 0; i < 200; ++i) waiting.emplace_back([&] { seen.wait(); });
  std::printf("200 threads on %d of the system's\n", os_threads());
  seen.count_down();
  for (std::thread& each : waiting) each.join();
}
// [end unmodified]
