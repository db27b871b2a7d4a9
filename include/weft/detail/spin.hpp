// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "weft/detail/exchange.hpp"

/// How many spinlocks the running thread (or thread fiber: each has thread-local storage of its own) holds. While it is
/// not zero, a patched process neither preempts it nor runs a handler of a signal on it.
extern "C" __attribute__((visibility("default"), tls_model("initial-exec"))) __thread unsigned weft_locks_held;

namespace weft::detail {

/// Waits, giving the processor away now and then, until @p word may be zero.
void spin_until_free(const std::atomic<std::uint32_t>& word) noexcept;

/// A lock for a few instructions, between fibers of several hubs and plain threads; for anything longer use a mutex.
///
/// Its holder does not wait, call code of the user, or allocate: whoever wants it meanwhile spins. Under the shim the
/// holder is not preempted and its signal handlers wait, or a fiber of the same OS thread could spin for ever.
///
/// Threads   As a mutex: lock and unlock on the same fiber. Not recursive: a second lock never returns.
/// Cost      Four bytes. Uncontended, one atomic exchange (in a process with one thread without a bus lock) and one store.
class spinlock {
 public:
  constexpr spinlock() noexcept = default;
  spinlock(const spinlock&) = delete;
  spinlock& operator=(const spinlock&) = delete;

  void lock() noexcept {
    weft_locks_held = weft_locks_held + 1;
    std::atomic_signal_fence(std::memory_order_seq_cst);  // a tick between the two must see the count
    while (!exchange()) spin_until_free(word_);
  }
  bool try_lock() noexcept {
    weft_locks_held = weft_locks_held + 1;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (exchange()) return true;
    weft_locks_held = weft_locks_held - 1;
    return false;
  }
  void unlock() noexcept {
    word_.store(0, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    weft_locks_held = weft_locks_held - 1;
  }
  /// A glance. Who sees it unlocked sees all that its last holder did.
  bool locked() const noexcept { return word_.load(std::memory_order_acquire) != 0; }

 private:
  bool exchange() noexcept {
    std::uint32_t free = 0;
    return exchange_if(word_, free, std::uint32_t{1});
  }

  std::atomic<std::uint32_t> word_{0};
};

}  // namespace weft::detail
