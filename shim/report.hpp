// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "base/config.hpp"

namespace weft::shim {

/// What one hub counts. Only the hub's own OS thread writes, anyone may read: an increment is a plain load, add and store.
/// Each hub has its own cache lines.
struct alignas(64) counters {
  class value {
   public:
    void add(std::uint64_t n = 1) noexcept {
      count_.store(count_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    std::uint64_t read() const noexcept { return count_.load(std::memory_order_relaxed); }

   private:
    std::atomic<std::uint64_t> count_{0};
  };

  value threads;      ///< green threads made on this hub
  value switches;     ///< from one fiber to another
  value straight;     ///< calls that Weft did and that had nothing to wait for
  value parked;       ///< calls whose fiber waited
  value passed;       ///< calls that went to the kernel unchanged
  value preemptions;  ///< fibers switched out because they kept others waiting
  value polls;        ///< looks of the hub itself for events
};

/// One object of the process whose text was looked through for system calls.
struct patched_object {
  const char* name;
  unsigned patched;
  unsigned left;       ///< sites that could not be changed: their calls go to the kernel as they are
  bool later = false;  ///< dlopen brought it when threads ran
};

/// All that a report tells. Nothing in it is kept.
struct report_facts {
  const char* program = "";
  std::span<const counters* const> hubs;  ///< none if the process never made a thread
  std::uint64_t most_alive = 0;           ///< green threads at one time
  std::span<const patched_object> objects;
};

/// Prints one table, where @p how says: to its report file, or to where messages go. Does nothing unless a report is asked for.
///
/// Runs at exit, on whatever stack and state of libc there is: allocates nothing, makes raw system calls only.
void write_report(const base::config& how, const report_facts& facts) noexcept;

}  // namespace weft::shim
