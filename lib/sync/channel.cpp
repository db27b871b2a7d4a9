// SPDX-License-Identifier: MIT
#include "weft/channel.hpp"

#include <cstddef>

#include "base/check.hpp"
#include "core/scheduler.hpp"

namespace weft::detail {

channel_core::ending channel_core::wait(channel_waiter& me, wait_queue& queue, deadline by) {
  // `weft::prepare_park` and `weft::park` in the few instructions that they are on a fiber.
  const bool on_fiber = weft_this_hub != nullptr;
  if (__builtin_expect(on_fiber, 1)) {
    WEFT_ASSERT(weft_this_hub->current != &weft_this_hub->loop_fiber);
    me.who = core::prepare_park();
  } else {
    __attribute__((tls_model("initial-exec"))) static __thread bool ready = false;
    if (!ready) {
      guard.unlock();
      static_cast<void>(prepare_park());
      ready = true;
      return ending::again;
    }
    me.who = prepare_park();
  }
  queue.push(me);
  if (&queue == &senders) watchers.notify();
  guard.unlock();
  const int ended = __builtin_expect(on_fiber, 1)
                        ? core::park_cancellable(me.who, by.ns(), core::wait_kind::object, this)
                        : park(me.who, by, this);
  if (ended != woken) {
    guard.lock();
    // Who does not stand in the queue any more was served after all, or woken by `close`.
    const bool queued = queue.remove(me);
    guard.unlock();
    if (ended == cancelled_wait && queued) throw_cancelled();
  }
  return me.served ? ending::served : ending::unserved;
}

void channel_core::close() noexcept {
  // In batches: who is taken out of a queue may be gone as soon as the lock is free, and the lock is not for long.
  constexpr std::size_t batch = 16;
  for (;;) {
    waker wakers[batch];
    std::size_t count = 0;
    {
      const std::lock_guard held(guard);
      if (!shut) {
        shut = true;
        watchers.notify();
      }
      for (wait_queue* queue : {&receivers, &senders}) {
        while (count < batch) {
          channel_waiter* const waiter = next(*queue);
          if (waiter == nullptr) break;
          wakers[count++] = waiter->who;
        }
      }
    }
    for (std::size_t i = 0; i < count; ++i) unpark(wakers[i]);
    if (count < batch) return;
  }
}

}  // namespace weft::detail
