// SPDX-License-Identifier: MIT
// Channels between fibers of one hub, and between hubs. bench/channel.py runs this beside its peers and prints the ratios.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <thread>
#include <weft/channel.hpp>
#include <weft/fiber.hpp>

namespace {

// A value goes to another fiber and comes back.
void round_trip(benchmark::State& state) {
  const auto capacity = static_cast<std::size_t>(state.range(0));
  weft::channel<std::int64_t> there(capacity), back(capacity);
  const weft::fiber other = weft::spawn([&] {
    while (auto value = there.receive()) benchmark::DoNotOptimize(back.send(*value + 1));
  });
  std::int64_t value = 0;
  for (auto _ : state) {
    if (!there.send(value)) state.SkipWithError("closed");
    value = *back.receive();
  }
  there.close();
  other.join();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(round_trip)->Arg(0)->Arg(2);

// One fiber sends as fast as another receives.
void flow(benchmark::State& state) {
  weft::channel<std::int64_t> c(static_cast<std::size_t>(state.range(0)));
  std::int64_t sum = 0;
  const weft::fiber other = weft::spawn([&] {
    while (auto value = c.receive()) sum += *value;
  });
  std::int64_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(c.send(std::int64_t{i++}));
  c.close();
  other.join();
  if (sum != i * (i - 1) / 2) state.SkipWithError("values were lost");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(flow)->Arg(64);

// What a channel costs where nobody waits.
void send_and_receive(benchmark::State& state) {
  weft::channel<std::int64_t> c(2);
  for (auto _ : state) {
    if (!c.try_send(std::int64_t{1})) state.SkipWithError("full");
    benchmark::DoNotOptimize(c.try_receive());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(send_and_receive);

// The round trip again, to a fiber of another hub.
void round_trip_between_hubs(benchmark::State& state) {
  weft::channel<std::int64_t> there(2), back(2);
  std::thread other([&] {
    weft::spawn([&] {
      while (auto value = there.receive()) benchmark::DoNotOptimize(back.send(*value + 1));
    }).join();
  });
  std::int64_t value = 0;
  for (auto _ : state) {
    if (!there.send(value)) state.SkipWithError("closed");
    value = *back.receive();
  }
  there.close();
  other.join();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(round_trip_between_hubs)->UseRealTime();

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  weft::spawn([] {}).join();  // this thread has a hub from now on
  benchmark::RunSpecifiedBenchmarks();
}
