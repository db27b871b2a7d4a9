// SPDX-License-Identifier: MIT
// What spawn_bench.cpp and its peer on State Threads print: the same line (bench/spawn.py).
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

namespace bench {

inline std::int64_t cpu_ns() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto ns = [](const timeval& t) { return (t.tv_sec * std::int64_t{1'000'000} + t.tv_usec) * 1000; };
  return ns(used.ru_utime) + ns(used.ru_stime);
}

// Bytes of a line of /proc/self/status, which counts in KiB.
inline std::int64_t status_bytes(const char* name) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(name, 0) == 0) return std::strtoll(line.c_str() + std::strlen(name), nullptr, 10) * 1024;
  }
  return 0;
}

// The tables that map the stacks are paid for too.
inline std::int64_t peak_bytes() { return status_bytes("VmHWM:") + status_bytes("VmPTE:"); }

// From where it is made to `print`.
class spawn_measure {
 public:
  void print(std::uint64_t count) const {
    const std::chrono::nanoseconds wall = std::chrono::steady_clock::now() - start_;
    const double each = static_cast<double>(count);
    std::printf("%llu fibers %.1f %.1f %lld\n", static_cast<unsigned long long>(count),
                static_cast<double>(wall.count()) / each, static_cast<double>(cpu_ns() - cpu_) / each,
                static_cast<long long>(peak_bytes() - bytes_));
    std::fflush(stdout);
  }

 private:
  std::int64_t bytes_ = peak_bytes();
  std::int64_t cpu_ = cpu_ns();
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace bench
