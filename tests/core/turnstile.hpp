// SPDX-License-Identifier: MIT
#pragma once

#include <mutex>

#include "weft/cancelled.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/wait_queue.hpp"
#include "weft/park.hpp"

namespace weft {

/// A counting semaphore as weft/park.hpp describes how a primitive is written: what the tests of parking stand on.
class turnstile {
 public:
  explicit turnstile(int count = 0) : count_(count) {}

  bool acquire(deadline by = deadline::never()) {
    detail::wait_node node;
    {
      const std::lock_guard guard(lock_);
      if (count_ > 0) {
        --count_;
        return true;
      }
    }
    node.who = prepare_park();
    {
      const std::lock_guard guard(lock_);
      if (count_ > 0) {
        --count_;
        return true;
      }
      queue_.push(node);
    }
    const int ended = park(node.who, by, this);
    if (ended == woken) return true;
    {
      const std::lock_guard guard(lock_);
      if (!queue_.remove(node)) return true;
    }
    if (ended == cancelled_wait) throw_cancelled();
    return false;
  }

  void release() {
    waker next{};
    {
      const std::lock_guard guard(lock_);
      detail::wait_node* const node = queue_.pop_front();
      if (node == nullptr) {
        ++count_;
        return;
      }
      next = node->who;
    }
    unpark(next);
  }

  int count() {
    const std::lock_guard guard(lock_);
    return count_;
  }
  bool waited_for() {
    const std::lock_guard guard(lock_);
    return !queue_.empty();
  }

 private:
  detail::spinlock lock_;
  detail::wait_queue queue_;
  int count_;
};

}  // namespace weft
