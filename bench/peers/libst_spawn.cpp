// SPDX-License-Identifier: MIT
// Spawn and join of bench/spawn_bench.cpp on State Threads, and the same line. Its stacks are mappings of their own, of which a
// process may have 65,530: too few for the other works.
#include <st.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

std::int64_t cpu_ns() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto ns = [](const timeval& t) { return (t.tv_sec * std::int64_t{1'000'000} + t.tv_usec) * 1000; };
  return ns(used.ru_utime) + ns(used.ru_stime);
}

std::int64_t peak_bytes() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return used.ru_maxrss * std::int64_t{1024};
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t count = argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0;
  if (count == 0 || std::strcmp(argv[1], "join") != 0) {
    std::fprintf(stderr, "usage: libst_spawn join COUNT\n");
    return 2;
  }
  st_set_eventsys(ST_EVENTSYS_ALT);
  if (st_init() != 0) return 1;
  const std::int64_t before = peak_bytes();
  const std::int64_t cpu = cpu_ns();
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < count; ++i) {
    st_thread_join(st_thread_create([](void*) -> void* { return nullptr; }, nullptr, 1, 64 * 1024), nullptr);
  }
  const auto wall = std::chrono::steady_clock::now() - start;
  const double each = static_cast<double>(count);
  std::printf("%llu fibers %.1f %.1f %lld\n", static_cast<unsigned long long>(count),
              static_cast<double>(std::chrono::nanoseconds(wall).count()) / each,
              static_cast<double>(cpu_ns() - cpu) / each, static_cast<long long>(peak_bytes() - before));
}
