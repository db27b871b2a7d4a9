// SPDX-License-Identifier: MIT
#pragma once

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
/// Threads   Used under the lock of the object it belongs to.
/// Lifetime  A node leaves the queue before its storage goes.
class wait_queue {
 public:
  constexpr wait_queue() noexcept = default;
  wait_queue(const wait_queue&) = delete;
  wait_queue& operator=(const wait_queue&) = delete;

  bool empty() const noexcept { return head_ == nullptr; }
  wait_node* front() const noexcept { return head_; }

  void push(wait_node& node) noexcept {
    node.prev = tail_;
    node.next = nullptr;
    node.queued = true;
    (tail_ == nullptr ? head_ : tail_->next) = &node;
    tail_ = &node;
  }
  /// Takes out the one that waits longest; nullptr if nobody does.
  wait_node* pop_front() noexcept {
    wait_node* const node = head_;
    if (node != nullptr) remove(*node);
    return node;
  }
  /// Takes @p node out. @return false if it does not stand here any more, because somebody has served it
  bool remove(wait_node& node) noexcept {
    if (!node.queued) return false;
    (node.prev == nullptr ? head_ : node.prev->next) = node.next;
    (node.next == nullptr ? tail_ : node.next->prev) = node.prev;
    node.queued = false;
    return true;
  }

 private:
  wait_node* head_ = nullptr;
  wait_node* tail_ = nullptr;
};

}  // namespace weft::detail
