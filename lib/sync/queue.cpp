// SPDX-License-Identifier: MIT
#include "weft/queue.hpp"

#include "weft/shield.hpp"

namespace weft::detail {

void quiet_lock::lock_shielded() {
  const shield quiet;
  mutex_.lock();
}

bool wait(quiet_lock& held, queue_waiter& me, wait_queue& queue, deadline by) {
  me.who = prepare_park();
  queue.push(me);
  mutex& m = held.get();
  held.unlock();
  const int ended = park(me.who, by, &queue);
  if (ended == woken) return me.served;
  bool queued;
  {
    const quiet_lock again(m);
    queued = queue.remove(me);
  }
  if (ended == cancelled_wait && queued) throw_cancelled();
  return me.served;
}

}  // namespace weft::detail
