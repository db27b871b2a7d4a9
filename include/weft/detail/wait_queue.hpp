// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "weft/detail/forks.hpp"
#include "weft/park.hpp"

namespace weft::detail {

/// One who waits, on its own stack.
struct wait_node {
  waker who{};
  void* slot = nullptr;  ///< where what is waited for is handed over, or what is offered: the queue's owner decides
  wait_node* prev = nullptr;
  wait_node* next = nullptr;
  bool queued = false;
};

/// The waiters of one object, first come, first served. Intrusive: owns nothing, allocates nothing.
///
/// In a fork's child it is empty: those who waited live in the parent alone, and nothing may be handed over to them.
///
/// Threads   Used under the lock of the object it belongs to.
/// Lifetime  A node leaves the queue before its storage goes.
class wait_queue {
 public:
  constexpr wait_queue() noexcept = default;
  wait_queue(const wait_queue&) = delete;
  wait_queue& operator=(const wait_queue&) = delete;

  bool empty() const noexcept { return front() == nullptr; }
  wait_node* front() const noexcept { return head_ == nullptr || forks_ == weft_forks ? head_ : nullptr; }

  void push(wait_node& node) noexcept {
    wait_node* const first = front();
    node.next = nullptr;
    node.queued = true;
    if (first == nullptr) {
      node.prev = &node;
      head_ = &node;
      forks_ = weft_forks;
    } else {
      node.prev = first->prev;
      first->prev->next = &node;
      first->prev = &node;
    }
  }
  /// Takes out the one that waits longest; nullptr if nobody does.
  wait_node* pop_front() noexcept {
    wait_node* const node = front();
    if (node != nullptr) remove(*node);
    return node;
  }
  /// Takes @p node out. @return false if it does not stand here any more, because somebody has served it
  bool remove(wait_node& node) noexcept {
    if (!node.queued) return false;
    node.queued = false;
    if (&node == head_) {
      head_ = node.next;
    } else {
      node.prev->next = node.next;
    }
    if (node.next != nullptr) {
      node.next->prev = node.prev;
    } else if (head_ != nullptr) {
      head_->prev = node.prev;
    }
    return true;
  }

 private:
  wait_node* head_ = nullptr;  // whose `prev` is the last one
  std::uint32_t forks_ = 0;    // of the process whose fibers wait
};

}  // namespace weft::detail
