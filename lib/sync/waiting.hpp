// SPDX-License-Identifier: MIT
#pragma once

#include <mutex>

#include "weft/detail/spin.hpp"
#include "weft/detail/wait_queue.hpp"
#include "weft/park.hpp"

namespace weft::sync {

/// Sleeps until @p node, which stands in @p queue and whose waker is open, has been served: taken out of the queue under
/// @p lock and unparked.
///
/// @param object    what is waited for, for dumps
/// @param given_up  called under @p lock after the node was taken out because the wait ended in another way
/// @return whether it was served; false: @p by passed
/// @throws what is due if the wait was cancelled. Who was served meanwhile keeps what it got, and the cancellation stays due
///         for its next wait.
template <class F>
bool sleep_until_served(detail::spinlock& lock, detail::wait_queue& queue, detail::wait_node& node, deadline by,
                        const void* object, const F& given_up) {
  const int ended = park(node.who, by, object);
  if (ended == woken) return true;
  {
    const std::lock_guard guard(lock);
    if (!queue.remove(node)) return true;
    given_up();
  }
  if (ended == cancelled_wait) throw_cancelled();
  return false;
}

/// Wakes all of @p queue. To be called with @p lock locked; returns with it unlocked, and touches neither any more once the
/// last waiter has been woken, which may destroy them. A waiter without an open waker is only taken out.
inline void wake_all_and_unlock(detail::spinlock& lock, detail::wait_queue& queue) noexcept {
  while (detail::wait_node* const node = queue.pop_front()) {
    const waker who = node->who;
    const bool last = queue.empty();
    if (last) lock.unlock();
    if (who.target != nullptr) unpark(who);
    if (last) return;
  }
  lock.unlock();
}

}  // namespace weft::sync
