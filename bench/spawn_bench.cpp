// SPDX-License-Identifier: MIT
// Many fibers in a process of their own, so that its peak is theirs:
//
//     spawn_bench join|skynet|sleepers COUNT
//
// join      spawns one fiber after the other and joins it
// skynet    a tree: each fiber spawns ten and adds up what they give, COUNT leaves (a power of ten) give their number
// sleepers  COUNT fibers asleep at once
//
// Prints one line, "COUNT fibers NANOSECONDS CPU_NANOSECONDS PEAK_BYTES": the times of one fiber, and what the process had
// resident at most beyond what it had at its start. bench/spawn.py runs this beside bench/peers/spawn.go.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>
#include <weft/fiber.hpp>

#include "bench/spawn_measure.hpp"

namespace {

using namespace std::chrono_literals;

void join(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) weft::spawn([] {}).join();
}

std::uint64_t skynet(std::uint64_t number, std::uint64_t leaves) {
  if (leaves == 1) return number;
  weft::task<std::uint64_t> children[10];
  for (std::uint64_t i = 0; i < 10; ++i) children[i] = weft::spawn(skynet, number + i * (leaves / 10), leaves / 10);
  std::uint64_t total = 0;
  for (const auto& child : children) total += child.get();
  return total;
}

void sleepers(std::uint64_t count) {
  std::vector<weft::fiber> all;
  all.reserve(count);
  // Each is let run at once, so that every one is asleep when the last is.
  for (std::uint64_t i = 0; i < count; ++i) {
    all.push_back(weft::spawn([] { weft::this_fiber::sleep_for(1h); }));
    if (i % 1000 == 999) weft::this_fiber::yield();
  }
  weft::this_fiber::yield();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc == 3 ? argv[1] : "";
  const std::uint64_t count = argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0;
  weft::spawn([] {}).join();  // the hub is there
  const bench::spawn_measure measure;
  if (count == 0) {
    std::fprintf(stderr, "usage: spawn_bench join|skynet|sleepers COUNT\n");
    return 2;
  }
  if (what == "join") {
    join(count);
  } else if (what == "skynet") {
    const std::uint64_t sum = skynet(0, count);
    if (sum != count * (count - 1) / 2) {
      std::fprintf(stderr, "spawn_bench: the sum is wrong: %llu\n", static_cast<unsigned long long>(sum));
      return 1;
    }
  } else if (what == "sleepers") {
    sleepers(count);
  } else {
    std::fprintf(stderr, "spawn_bench: there is no '%s'\n", what.c_str());
    return 2;
  }
  measure.print(count);
  std::_Exit(0);  // a million sleepers are not woken to end
}
