// SPDX-License-Identifier: MIT
// The same work as bench/sync_bench.cpp with the locks of Boost.Fiber.
#include <benchmark/benchmark.h>

#include <boost/fiber/all.hpp>
#include <cstdint>
#include <mutex>
#include <vector>

namespace {

namespace fibers = boost::fibers;

void lock_unlock(benchmark::State& state) {
  fibers::mutex m;
  for (auto _ : state) {
    m.lock();
    benchmark::ClobberMemory();
    m.unlock();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(lock_unlock);

constexpr int rounds = 100;

void contended(benchmark::State& state, bool yields) {
  fibers::mutex m;
  std::int64_t total = 0;
  for (auto _ : state) {
    std::vector<fibers::fiber> all;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      all.emplace_back([&] {
        for (int k = 0; k < rounds; ++k) {
          const std::lock_guard guard(m);
          ++total;
          if (yields) boost::this_fiber::yield();
        }
      });
    }
    for (fibers::fiber& f : all) f.join();
  }
  state.SetItemsProcessed(total);
}
void contended_short(benchmark::State& state) { contended(state, false); }
void contended_long(benchmark::State& state) { contended(state, true); }
BENCHMARK(contended_short)->Arg(1000);
BENCHMARK(contended_long)->Arg(1000);

void condition_round_trip(benchmark::State& state) {
  fibers::mutex m;
  fibers::condition_variable changed;
  bool theirs = false, over = false;
  fibers::fiber other([&] {
    std::unique_lock lock(m);
    for (;;) {
      changed.wait(lock, [&] { return theirs; });
      if (over) return;
      theirs = false;
      changed.notify_one();
    }
  });
  {
    std::unique_lock lock(m);
    for (auto _ : state) {
      theirs = true;
      changed.notify_one();
      changed.wait(lock, [&] { return !theirs; });
    }
    over = theirs = true;
  }
  changed.notify_one();
  other.join();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(condition_round_trip);

}  // namespace

BENCHMARK_MAIN();
