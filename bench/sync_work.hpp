// SPDX-License-Identifier: MIT
// What sync_bench.cpp and its peer on Boost.Fiber do with their locks.
//
// Fibers: the types `mutex`, `condition_variable` and `fiber`, and the functions `spawn(f)`, which gives a fiber, and `yield()`.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <mutex>
#include <vector>

namespace bench {

// Nobody else wants it.
template <class Mutex>
void lock_unlock(benchmark::State& state) {
  Mutex m;
  for (auto _ : state) {
    m.lock();
    benchmark::ClobberMemory();
    m.unlock();
  }
  state.SetItemsProcessed(state.iterations());
}

// A thousand fibers want it. Each takes the lock so many times; with @p yields it lets the others run while it has it, so
// that all wait.
template <class Fibers>
void contended(benchmark::State& state, bool yields) {
  constexpr int rounds = 100;
  typename Fibers::mutex m;
  std::int64_t total = 0;
  for (auto _ : state) {
    std::vector<typename Fibers::fiber> fibers;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      fibers.push_back(Fibers::spawn([&] {
        for (int k = 0; k < rounds; ++k) {
          const std::lock_guard guard(m);
          ++total;
          if (yields) Fibers::yield();
        }
      }));
    }
    for (auto& f : fibers) f.join();
  }
  if (total != state.iterations() * state.range(0) * rounds) state.SkipWithError("the lock let two in at once");
  state.SetItemsProcessed(total);
}

// To another fiber and back.
template <class Fibers>
void condition_round_trip(benchmark::State& state) {
  typename Fibers::mutex m;
  typename Fibers::condition_variable changed;
  bool theirs = false, over = false;
  typename Fibers::fiber other = Fibers::spawn([&] {
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

// What both programs measure, under the same names.
template <class Fibers>
void register_sync_work() {
  benchmark::RegisterBenchmark("lock_unlock", lock_unlock<typename Fibers::mutex>);
  benchmark::RegisterBenchmark("contended_short", contended<Fibers>, false)->Arg(1000);
  benchmark::RegisterBenchmark("contended_long", contended<Fibers>, true)->Arg(1000);
  benchmark::RegisterBenchmark("condition_round_trip", condition_round_trip<Fibers>);
}

}  // namespace bench
