// SPDX-License-Identifier: MIT
// Light fibers against the bare jump that they stand on. bench/switch.py runs this and prints the ratios.
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <boost/context/detail/fcontext.hpp>
#include <cstdint>
#include <vector>
#include <weft/fiber.hpp>

namespace {

namespace bare = boost::context::detail;

constexpr std::size_t stack_size = 65536;

void jump_back_for_ever(bare::transfer_t from) {
  for (;;) from = bare::jump_fcontext(from.fctx, nullptr);
}

// Two jumps an iteration; an item is one.
void jump_fcontext(benchmark::State& state) {
  void* stack = mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return state.SkipWithError("mmap");
  bare::transfer_t other = {bare::make_fcontext(static_cast<char*>(stack) + stack_size, stack_size, jump_back_for_ever),
                            nullptr};
  for (auto _ : state) other = bare::jump_fcontext(other.fctx, nullptr);
  state.SetItemsProcessed(2 * state.iterations());
  munmap(stack, stack_size);
}
BENCHMARK(jump_fcontext);

constexpr std::int64_t turns = 1000;

__attribute__((noinline)) void take_turns() {
  for (std::int64_t i = 0; i < turns; ++i) weft::this_fiber::yield();
}

// The benchmark's own fiber is one of the given number, and all do the same.
void yield(benchmark::State& state) {
  bool done = false;
  std::vector<weft::fiber> others;
  for (std::int64_t i = 1; i < state.range(0); ++i) {
    others.push_back(weft::spawn([&done] {
      while (!done) take_turns();
    }));
  }
  weft::this_fiber::yield();  // they all have a stack now
  while (state.KeepRunningBatch(turns)) take_turns();
  state.SetItemsProcessed(state.range(0) * state.iterations());
  done = true;
  for (const weft::fiber& other : others) other.join();
}
BENCHMARK(yield)->Arg(2)->Arg(1'000);

void spawn_and_join(benchmark::State& state) {
  for (auto _ : state) weft::spawn([] {}).join();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(spawn_and_join);

}  // namespace

BENCHMARK_MAIN();
