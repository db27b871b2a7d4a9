// SPDX-License-Identifier: MIT
// Channels between fibers of one hub, and between hubs. bench/channel.py runs this beside its peers and prints the ratios.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <utility>
#include <weft/channel.hpp>
#include <weft/fiber.hpp>

#include "bench/channel_work.hpp"

namespace {

struct weft_fibers {
  using buffered = weft::channel<std::int64_t>;
  struct unbuffered : buffered {
    unbuffered() : buffered(0) {}
  };
  static bool send(buffered& c, std::int64_t value) { return c.send(value); }
  static bool receive(buffered& c, std::int64_t& value) { return take(c.receive(), value); }
  static bool try_send(buffered& c, std::int64_t value) { return c.try_send(value); }
  static bool try_receive(buffered& c, std::int64_t& value) { return take(c.try_receive(), value); }
  template <class F>
  static weft::fiber spawn(F&& function) {
    return weft::spawn(std::forward<F>(function));
  }

 private:
  static bool take(const std::optional<std::int64_t>& from, std::int64_t& value) {
    if (from) value = *from;
    return from.has_value();
  }
};

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  weft::spawn([] {}).join();  // this thread has a hub from now on
  bench::register_channel_work<weft_fibers>();
  benchmark::RunSpecifiedBenchmarks();
}
