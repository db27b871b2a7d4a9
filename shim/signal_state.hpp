// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>

#include <atomic>
#include <cstdint>

namespace weft::shim {

/// A set of signals as the kernel has it: bit n-1 is signal n.
using signal_set = std::uint64_t;
constexpr signal_set signal_bit(int sig) noexcept { return signal_set{1} << (sig - 1); }

struct queued_signal;

/// What a kernel thread has of signals, kept for each fiber. What is atomic is read by others' threads.
struct signal_state {
  std::atomic<signal_set> mask{0};     // what it blocks; changed by `change_mask` alone
  signal_set saved_mask = 0;           // to restore behind sigsuspend, ppoll and their kind
  bool restore_saved_mask = false;     // whether that is to be done
  bool alive = false;                  // takes signals; under the queues' lock
  std::atomic<bool> attention{false};  // something may be deliverable: look before leaving a hook
  std::atomic<signal_set> pending{0};  // aimed at this thread; changed under the queues' lock
  std::atomic<signal_set> awaited{0};  // the set of the sigwait that it is in
  queued_signal* queue = nullptr;      // their siginfo, oldest first
  stack_t alternate{nullptr, SS_DISABLE, 0};
};

}  // namespace weft::shim
