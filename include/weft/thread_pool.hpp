// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>

#include "weft/executor.hpp"

namespace weft {

namespace tasks {
struct live_pools;
}

/// How a thread_pool is made.
struct thread_pool_options {
  /// Threads at most; 0: as many as there are processors, which suits tasks that compute.
  std::size_t limit = 0;
  /// How long a thread without work waits for some before it ends.
  std::chrono::nanoseconds idle_time = std::chrono::seconds(5);
  /// Bytes of each thread's stack; 0: what the system gives. What it refuses (less than PTHREAD_STACK_MIN, or more than there is)
  /// makes a task that needs a thread fail with std::system_error.
  std::size_t stack_size = 0;
  /// Shown by the system's tools; up to 15 bytes are kept.
  const char* name = "weft-pool";
};

/// An executor whose tasks run on real threads: for calls that would block the hub, and for what computes for long.
///
/// For one call now and then use `offload`; for work on the hub's own thread a `fiber_executor`.
///
///     weft::thread_pool crunchers;                                   // a thread for each processor
///     double mean = crunchers.apply(average, std::cref(samples));    // other fibers run meanwhile
///
/// As executor. A thread is made when a task finds none idle and the limit allows it, and ends when it was idle for
/// `idle_time`: an unused pool has no thread. Pool threads block all signals. In a process whose system calls are patched
/// they are green threads, as all its threads.
///
/// Lifetime  In a fork's child the pool is empty: the parent's tasks are the parent's.
/// Cost      A task on a thread that is idle: two wakes of the kernel, about 10 µs.
class thread_pool final : public executor {
 public:
  explicit thread_pool(const thread_pool_options& options = {});
  ~thread_pool() override;

 private:
  void start_worker(detail::job& first) override;
  std::uint64_t caller() const noexcept override;
  static void* thread_main(void* argument) noexcept;
  friend struct tasks::live_pools;

  const thread_pool_options options_;
  thread_pool* next_ = nullptr;  // of all pools
};

}  // namespace weft
