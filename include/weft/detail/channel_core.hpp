// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "weft/deadline.hpp"
#include "weft/detail/misuse.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/subscription.hpp"
#include "weft/detail/wait_queue.hpp"

namespace weft::detail {

/// What the cases of one `select` share: which of them was served. The first to claim it wins.
class select_claim {
 public:
  static constexpr std::uint32_t open = 0xffff'ffff;
  static constexpr std::uint32_t closed = 0xffff'fffe;

  bool claim(std::uint32_t index) noexcept {
    std::uint32_t expected = open;
    return served_.compare_exchange_strong(expected, index, std::memory_order_acq_rel);
  }
  /// Lets nobody serve it any more. @return the case that was served, or `open`
  std::uint32_t close() noexcept { return served_.exchange(closed, std::memory_order_acq_rel); }

 private:
  std::atomic<std::uint32_t> served_{open};
};

/// One who waits to send or to receive: alone, or with one case of a select.
struct channel_waiter : wait_node {
  select_claim* select = nullptr;
  std::uint32_t index = 0;
  bool served = false;  // the value has changed hands
};

/// What a channel does whatever its values are: its lock and its waiters.
///
/// Threads   Members without a word on it are called under `guard`.
class channel_core {
 public:
  channel_core(const channel_core&) = delete;
  channel_core& operator=(const channel_core&) = delete;

  /// Refuses further sends and wakes every waiter. Values already inside can still be received. Never suspends; may be
  /// called twice, from anywhere, and in a destructor.
  void close() noexcept;

  /// Whether `close` was called; values may still be inside.
  bool closed() const noexcept {
    const std::lock_guard held(guard);
    return shut;
  }

  // What a waitable offers: see waitable.hpp.
  void remove_waiter(subscription& s) noexcept {
    const std::lock_guard held(guard);
    watchers.remove(s);
  }

 protected:
  channel_core() noexcept = default;
  ~channel_core() {
    if (!receivers.empty() || !senders.empty() || !watchers.empty()) [[unlikely]]
      destroyed_in_use("channel", this);
  }

  /// Takes out the one that waits longest and has not been served elsewhere; nullptr if there is none.
  static channel_waiter* next(wait_queue& queue) noexcept {
    while (wait_node* const node = queue.pop_front()) {
      auto* const waiter = static_cast<channel_waiter*>(node);
      if (waiter->select == nullptr || waiter->select->claim(waiter->index)) return waiter;
    }
    return nullptr;
  }

  // Of a try. `wait`: not now. `memory`: not before the store has a new block.
  enum class outcome : unsigned char { done, closed, wait, memory };

  /// The last step of handing over to @p to. @return what to wake once the lock is free: the waiter may be gone by then
  static waker serve(channel_waiter& to) noexcept {
    to.served = true;
    return to.who;
  }

  enum class ending : unsigned char { served, unserved, again };

  /// Queues @p me, frees the lock, and waits until it is served, the channel is closed, or @p by has passed. On the first
  /// wait of a thread without a hub, which needs memory, it frees the lock and has the caller try `again`.
  /// @throws cancelled and what else a cancellation throws; @p me was then not served
  ending wait(channel_waiter& me, wait_queue& queue, deadline by);

  mutable spinlock guard;
  bool shut = false;
  wait_queue receivers;        // they find the channel empty, and nobody who sends
  wait_queue senders;          // they find it full, and nobody who receives
  subscription_list watchers;  // told whenever there is something to receive
};

}  // namespace weft::detail
