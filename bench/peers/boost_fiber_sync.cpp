// SPDX-License-Identifier: MIT
// The work of bench/sync_bench.cpp with the locks of Boost.Fiber.
#include <benchmark/benchmark.h>

#include <boost/fiber/all.hpp>
#include <utility>

#include "bench/sync_work.hpp"

namespace {

struct boost_fibers {
  using mutex = boost::fibers::mutex;
  using condition_variable = boost::fibers::condition_variable;
  using fiber = boost::fibers::fiber;
  template <class F>
  static fiber spawn(F&& function) {
    return fiber(std::forward<F>(function));
  }
  static void yield() { boost::this_fiber::yield(); }
};

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  bench::register_sync_work<boost_fibers>();
  benchmark::RunSpecifiedBenchmarks();
}
