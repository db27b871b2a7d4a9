// SPDX-License-Identifier: MIT
// Locks of light fibers, and beside them the standard library's. bench/sync.py runs this and its peers and prints the ratios.
#include <benchmark/benchmark.h>

#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <utility>
#include <weft/condition_variable.hpp>
#include <weft/event.hpp>
#include <weft/fiber.hpp>
#include <weft/mutex.hpp>
#include <weft/recursive_mutex.hpp>
#include <weft/semaphore.hpp>
#include <weft/shared_mutex.hpp>

#include "bench/sync_work.hpp"

namespace {

struct weft_fibers {
  using mutex = weft::mutex;
  using condition_variable = weft::condition_variable;
  using fiber = weft::fiber;
  template <class F>
  static fiber spawn(F&& function) {
    return weft::spawn(std::forward<F>(function));
  }
  static void yield() { weft::this_fiber::yield(); }
};

template <class Mutex>
void lock_shared_unlock(benchmark::State& state) {
  Mutex m;
  for (auto _ : state) {
    m.lock_shared();
    benchmark::ClobberMemory();
    m.unlock_shared();
  }
  state.SetItemsProcessed(state.iterations());
}

void semaphore_round_trip(benchmark::State& state) {
  weft::binary_semaphore there(0), back(0);
  bool over = false;
  const weft::fiber other = weft::spawn([&] {
    for (;;) {
      there.acquire();
      if (over) break;
      back.release();
    }
  });
  for (auto _ : state) {
    there.release();
    back.acquire();
  }
  over = true;
  there.release();
  other.join();
  state.SetItemsProcessed(state.iterations());
}

// Between two OS threads: with a hub each for weft's.

template <class Mutex>
void between_threads(benchmark::State& state) {
  Mutex m;
  std::int64_t total = 0;
  constexpr int each = 20'000;
  for (auto _ : state) {
    const auto work = [&] {
      weft::this_fiber::yield();
      for (int i = 0; i < each; ++i) {
        const std::lock_guard guard(m);
        ++total;
      }
    };
    std::thread other(work);
    work();
    other.join();
  }
  if (total != state.iterations() * 2 * each) state.SkipWithError("the lock let two in at once");
  state.SetItemsProcessed(total);
}

BENCHMARK(bench::lock_unlock<std::mutex>)->Name("lock_unlock/std");
BENCHMARK(bench::lock_unlock<weft::recursive_mutex>)->Name("recursive");
BENCHMARK(bench::lock_unlock<std::recursive_mutex>)->Name("recursive/std");
BENCHMARK(lock_shared_unlock<weft::shared_mutex>)->Name("shared");
BENCHMARK(lock_shared_unlock<std::shared_mutex>)->Name("shared/std");
BENCHMARK(semaphore_round_trip);
BENCHMARK(between_threads<weft::mutex>)->Name("between_threads")->UseRealTime();
BENCHMARK(between_threads<std::mutex>)->Name("between_threads/std")->UseRealTime();

}  // namespace

int main(int argc, char** argv) {
  weft::this_fiber::sleep_for(std::chrono::seconds(0));  // this thread has a hub
  // libc's mutexes, and ours, do without the bus lock as long as there was no second thread: not what a server sees.
  std::thread([] {}).join();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  bench::register_sync_work<weft_fibers>();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
