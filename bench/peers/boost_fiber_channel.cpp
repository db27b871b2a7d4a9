// SPDX-License-Identifier: MIT
// The same work as bench/channel_bench.cpp on Boost.Fiber's channels: buffered where a capacity is wanted, unbuffered for 0.
#include <benchmark/benchmark.h>

#include <boost/fiber/all.hpp>
#include <cstdint>
#include <thread>

namespace {

namespace fibers = boost::fibers;
using buffered = fibers::buffered_channel<std::int64_t>;
using unbuffered = fibers::unbuffered_channel<std::int64_t>;

template <class Channel>
void answer(Channel& there, Channel& back) {
  std::int64_t value = 0;
  while (there.pop(value) == fibers::channel_op_status::success) back.push(value + 1);
}

template <class Channel>
void ask(benchmark::State& state, Channel& there, Channel& back) {
  std::int64_t value = 0;
  for (auto _ : state) {
    there.push(value);
    back.pop(value);
  }
  there.close();
  state.SetItemsProcessed(state.iterations());
}

template <class Channel>
void within_a_thread(benchmark::State& state, Channel& there, Channel& back) {
  fibers::fiber other([&] { answer(there, back); });
  ask(state, there, back);
  other.join();
}

void round_trip(benchmark::State& state) {
  if (state.range(0) == 0) {
    unbuffered there, back;
    within_a_thread(state, there, back);
  } else {
    const auto capacity = static_cast<std::size_t>(state.range(0));
    buffered there(capacity), back(capacity);
    within_a_thread(state, there, back);
  }
}
BENCHMARK(round_trip)->Arg(0)->Arg(2);

void flow(benchmark::State& state) {
  buffered c(static_cast<std::size_t>(state.range(0)));
  std::int64_t sum = 0;
  fibers::fiber other([&] {
    std::int64_t value = 0;
    while (c.pop(value) == fibers::channel_op_status::success) sum += value;
  });
  std::int64_t i = 0;
  for (auto _ : state) c.push(i++);
  c.close();
  other.join();
  if (sum != i * (i - 1) / 2) state.SkipWithError("values were lost");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(flow)->Arg(64);

void send_and_receive(benchmark::State& state) {
  buffered c(2);
  std::int64_t value = 0;
  for (auto _ : state) {
    c.try_push(1);
    c.try_pop(value);
    benchmark::DoNotOptimize(value);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(send_and_receive);

void round_trip_between_hubs(benchmark::State& state) {
  buffered there(2), back(2);
  std::thread other([&] { answer(there, back); });
  ask(state, there, back);
  other.join();
}
BENCHMARK(round_trip_between_hubs)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
