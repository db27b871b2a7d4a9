// SPDX-License-Identifier: MIT
// What channel_bench.cpp and its peer on Boost.Fiber do with their channels.
//
// Fibers: the channels `buffered`, made with a capacity, and `unbuffered`; the functions `send(channel, value)` and
// `receive(channel, value&)`, which say whether it was open, and both again as `try_send` and `try_receive`; `spawn(f)`,
// which gives a fiber.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <thread>

namespace bench {

template <class Fibers, class Channel>
void answer(Channel& there, Channel& back) {
  for (std::int64_t value = 0; Fibers::receive(there, value);) Fibers::send(back, value + 1);
}

template <class Fibers, class Channel>
void ask(benchmark::State& state, Channel& there, Channel& back) {
  std::int64_t value = 0;
  for (auto _ : state) {
    if (!Fibers::send(there, value) || !Fibers::receive(back, value)) state.SkipWithError("closed");
  }
  there.close();
  state.SetItemsProcessed(state.iterations());
}

// A value goes to another fiber and comes back.
template <class Fibers, class Channel>
void ask_a_fiber(benchmark::State& state, Channel& there, Channel& back) {
  auto other = Fibers::spawn([&] { answer<Fibers>(there, back); });
  ask<Fibers>(state, there, back);
  other.join();
}
template <class Fibers>
void round_trip(benchmark::State& state) {
  if (state.range(0) == 0) {
    typename Fibers::unbuffered there, back;
    ask_a_fiber<Fibers>(state, there, back);
  } else {
    const auto capacity = static_cast<std::size_t>(state.range(0));
    typename Fibers::buffered there(capacity), back(capacity);
    ask_a_fiber<Fibers>(state, there, back);
  }
}

// The same, to a fiber of another hub.
template <class Fibers>
void round_trip_between_hubs(benchmark::State& state) {
  typename Fibers::buffered there(2), back(2);
  std::thread other([&] { Fibers::spawn([&] { answer<Fibers>(there, back); }).join(); });
  ask<Fibers>(state, there, back);
  other.join();
}

// One fiber sends as fast as another receives.
template <class Fibers>
void flow(benchmark::State& state) {
  typename Fibers::buffered c(static_cast<std::size_t>(state.range(0)));
  std::int64_t sum = 0;
  auto other = Fibers::spawn([&] {
    for (std::int64_t value = 0; Fibers::receive(c, value);) sum += value;
  });
  std::int64_t i = 0;
  for (auto _ : state) Fibers::send(c, i++);
  c.close();
  other.join();
  if (sum != i * (i - 1) / 2) state.SkipWithError("values were lost");
  state.SetItemsProcessed(state.iterations());
}

// What a channel costs where nobody waits.
template <class Fibers>
void send_and_receive(benchmark::State& state) {
  typename Fibers::buffered c(2);
  std::int64_t value = 0;
  for (auto _ : state) {
    if (!Fibers::try_send(c, 1)) state.SkipWithError("full");
    benchmark::DoNotOptimize(Fibers::try_receive(c, value));
    benchmark::DoNotOptimize(value);
  }
  state.SetItemsProcessed(state.iterations());
}

template <class Fibers>
void register_channel_work() {
  benchmark::RegisterBenchmark("round_trip", round_trip<Fibers>)->Arg(0)->Arg(2);
  benchmark::RegisterBenchmark("flow", flow<Fibers>)->Arg(64);
  benchmark::RegisterBenchmark("send_and_receive", send_and_receive<Fibers>);
  benchmark::RegisterBenchmark("round_trip_between_hubs", round_trip_between_hubs<Fibers>)->UseRealTime();
}

}  // namespace bench
