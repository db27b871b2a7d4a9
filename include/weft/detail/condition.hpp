// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "weft/deadline.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/wait_queue.hpp"

namespace weft::detail {

/// What condition_variable and condition_variable_any share: a queue of those who wait to be notified.
class condition {
 public:
  constexpr condition() noexcept = default;
  condition(const condition&) = delete;
  condition& operator=(const condition&) = delete;
  /// Returns once those who were notified have left; aborts if someone waits still.
  ~condition() {
    if (inside_.load(std::memory_order_acquire) != 0) [[unlikely]]
      wait_until_left();
  }

  /// One who waits: in the queue from its construction on, so that no notification is missed, whatever the caller does
  /// before it sleeps.
  class waiter {
   public:
    /// @param sleeps_next  the caller does nothing that might wait before it calls `sleep`
    waiter(condition& at, bool sleeps_next);
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;
    ~waiter();

    /// Waits, once, and then touches the condition no more.
    /// @return whether it was notified before @p by passed
    /// @throws what is due when cancelled; a notification that came first wins
    bool sleep(deadline by, const void* object);

   private:
    void leave() noexcept;

    condition* at_;
    wait_node node_;
  };

  void notify_one() noexcept;
  void notify_all() noexcept;

 private:
  void wait_until_left() noexcept;

  wait_queue waiters_;
  std::atomic<std::uint32_t> inside_{0};  // waiters that still touch this
  spinlock lock_;
};

}  // namespace weft::detail
