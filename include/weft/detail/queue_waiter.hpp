// SPDX-License-Identifier: MIT
#pragma once

#include "weft/deadline.hpp"
#include "weft/detail/wait_queue.hpp"
#include "weft/mutex.hpp"

namespace weft::detail {

/// Holds a mutex that was not waited for as a cancellation point.
class quiet_lock {
 public:
  explicit quiet_lock(mutex& m) : mutex_(m) {
    if (!m.try_lock()) lock_shielded();
  }
  quiet_lock(const quiet_lock&) = delete;
  quiet_lock& operator=(const quiet_lock&) = delete;
  ~quiet_lock() {
    if (held_) mutex_.unlock();
  }
  mutex& get() const noexcept { return mutex_; }
  void unlock() {
    held_ = false;
    mutex_.unlock();
  }

 private:
  void lock_shielded();

  mutex& mutex_;
  bool held_ = true;
};

/// One who waits at a queue. `slot` is where the value is, or is wanted.
struct queue_waiter : wait_node {
  explicit queue_waiter(void* at) noexcept { slot = at; }
  bool served = false;
};

/// Queues @p me, frees the lock, and waits until it is served, woken without, or @p by has passed.
/// @return whether it was served
/// @throws cancelled and what else a cancellation throws; @p me was then not served
bool wait(quiet_lock& held, queue_waiter& me, wait_queue& queue, deadline by);

/// The last step of handing over to @p to.
inline void serve(queue_waiter& to) noexcept {
  to.served = true;
  unpark(to.who);
}
/// The same, with the lock freed first, so that it is not in the way of the one that wakes.
inline void serve(quiet_lock& held, queue_waiter& to) {
  to.served = true;
  const waker who = to.who;
  held.unlock();
  unpark(who);
}
/// Wakes all who wait, with nothing.
inline void wake_all(wait_queue& queue) noexcept {
  while (wait_node* const node = queue.pop_front()) unpark(node->who);
}

}  // namespace weft::detail
