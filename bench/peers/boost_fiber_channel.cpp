// SPDX-License-Identifier: MIT
// The work of bench/channel_bench.cpp on Boost.Fiber's channels.
#include <benchmark/benchmark.h>

#include <boost/fiber/all.hpp>
#include <cstdint>
#include <utility>

#include "bench/channel_work.hpp"

namespace {

struct boost_fibers {
  using buffered = boost::fibers::buffered_channel<std::int64_t>;
  using unbuffered = boost::fibers::unbuffered_channel<std::int64_t>;
  template <class Channel>
  static bool send(Channel& c, std::int64_t value) {
    return c.push(value) == success;
  }
  template <class Channel>
  static bool receive(Channel& c, std::int64_t& value) {
    return c.pop(value) == success;
  }
  static bool try_send(buffered& c, std::int64_t value) { return c.try_push(value) == success; }
  static bool try_receive(buffered& c, std::int64_t& value) { return c.try_pop(value) == success; }
  template <class F>
  static boost::fibers::fiber spawn(F&& function) {
    return boost::fibers::fiber(std::forward<F>(function));
  }

 private:
  static constexpr auto success = boost::fibers::channel_op_status::success;
};

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  bench::register_channel_work<boost_fibers>();
  benchmark::RunSpecifiedBenchmarks();
}
