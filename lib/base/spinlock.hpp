// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "base/syscall.hpp"
#include "weft/detail/exchange.hpp"

namespace weft::base {

/// Counts the forks above this process: a lock that was held by another thread at the moment of a fork is free in the
/// child, where that thread does not exist. What the locks protect is changed by single stores, so it is whole.
extern std::atomic<std::uint32_t> fork_generation;

/// A lock for a few instructions of a hub's own work, between OS threads. Never held across a switch; whoever holds it
/// cannot be preempted by another fiber of the same hub, because the holder is inside Weft.
class spinlock {
 public:
  constexpr spinlock() noexcept = default;
  spinlock(const spinlock&) = delete;
  spinlock& operator=(const spinlock&) = delete;

  void lock() noexcept {
    const std::uint32_t mine = fork_generation.load(std::memory_order_relaxed);
    while (!take(mine)) {
      // The holder's OS thread may have been descheduled: after a short spin give the processor away.
      for (int i = 0; holder_.load(std::memory_order_relaxed) == mine; ++i) {
        if (i < 100) {
          __builtin_ia32_pause();
        } else {
          raw_syscall(SYS_sched_yield);
        }
      }
    }
  }
  bool try_lock() noexcept {
    const std::uint32_t mine = fork_generation.load(std::memory_order_relaxed);
    return take(mine);
  }
  void unlock() noexcept { holder_.store(0, std::memory_order_release); }

 private:
  bool take(std::uint32_t mine) noexcept {
    std::uint32_t seen = holder_.load(std::memory_order_relaxed);
    return seen != mine && weft::detail::exchange_if(holder_, seen, mine);
  }

  std::atomic<std::uint32_t> holder_{0};  // the generation of the process that holds it; 0: free
};

}  // namespace weft::base
