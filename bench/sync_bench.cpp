// SPDX-License-Identifier: MIT
// Locks of light fibers, and beside them the standard library's. bench/sync.py runs this and its peers and prints the ratios.
#include <benchmark/benchmark.h>

#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>
#include <weft/condition_variable.hpp>
#include <weft/event.hpp>
#include <weft/fiber.hpp>
#include <weft/mutex.hpp>
#include <weft/recursive_mutex.hpp>
#include <weft/semaphore.hpp>
#include <weft/shared_mutex.hpp>

namespace {

// -- nobody else wants it

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

// -- a thousand fibers want it

constexpr int rounds = 100;

// Each fiber takes the lock so many times; with @p yields it lets the others run while it has it, so that all wait.
void contended(benchmark::State& state, bool yields) {
  weft::mutex m;
  std::int64_t total = 0;
  for (auto _ : state) {
    std::vector<weft::fiber> fibers;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      fibers.push_back(weft::spawn([&] {
        for (int k = 0; k < rounds; ++k) {
          const std::lock_guard guard(m);
          ++total;
          if (yields) weft::this_fiber::yield();
        }
      }));
    }
    for (const weft::fiber& f : fibers) f.join();
  }
  if (total != state.iterations() * state.range(0) * rounds) state.SkipWithError("the lock let two in at once");
  state.SetItemsProcessed(total);
}
void contended_short(benchmark::State& state) { contended(state, false); }
void contended_long(benchmark::State& state) { contended(state, true); }

// -- between two fibers

void condition_round_trip(benchmark::State& state) {
  weft::mutex m;
  weft::condition_variable changed;
  bool theirs = false, over = false;
  const weft::fiber other = weft::spawn([&] {
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

// -- between two OS threads: with a hub each for weft's

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

BENCHMARK(lock_unlock<weft::mutex>)->Name("lock_unlock");
BENCHMARK(lock_unlock<std::mutex>)->Name("lock_unlock/std");
BENCHMARK(lock_unlock<weft::recursive_mutex>)->Name("recursive");
BENCHMARK(lock_unlock<std::recursive_mutex>)->Name("recursive/std");
BENCHMARK(lock_shared_unlock<weft::shared_mutex>)->Name("shared");
BENCHMARK(lock_shared_unlock<std::shared_mutex>)->Name("shared/std");
BENCHMARK(contended_short)->Arg(1000);
BENCHMARK(contended_long)->Arg(1000);
BENCHMARK(condition_round_trip);
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
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
