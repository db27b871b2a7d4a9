// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "weft/deadline.hpp"

namespace weft {

namespace core {
struct fiber;
}

// For those who write a new primitive; everybody else takes a class that stands on this (mutex, event, channel). May
// change in any version.
//
// A wait is opened by `prepare_park`, its waker put where others find it (a queue under a lock), and then slept in by
// `park`. A wake that comes before the park is kept. Who wakes takes the waiter out of the queue under the queue's
// lock, hands over what it waits for, and only then calls `unpark`: so nobody can overtake a waiter that was woken. A
// waiter whose park ended in another way takes the lock and looks whether it stands in the queue still; if it does not,
// it was served after all and must not give up what it has got (a cancellation then stays due for its next wait).
//
//     weft::detail::wait_node node;
//     lock.lock();
//     node.who = weft::prepare_park();
//     queue.push(node);
//     lock.unlock();
//     int ended = weft::park(node.who, by, this);
//     if (ended != weft::woken) {
//       lock.lock();
//       const bool served = !queue.remove(node);
//       lock.unlock();
//       if (!served && ended == weft::cancelled_wait) weft::throw_cancelled();
//       return served;
//     }
//     return true;
//
// Blocking  Only `park` and `park_shielded` suspend: a fiber lets others of its hub run; an OS thread without a hub
//           sleeps itself, in a futex.
// Cancel    `park` is a cancellation point and does not throw; `park_shielded` is none.
// Threads   `unpark` may be called from anywhere; the others act on the calling fiber or thread.
// Lifetime  A waker needs no object to live: a late one, of a fiber that is long gone, does nothing.
// Cost      One switch away and one back; no allocation and no system call if another fiber is ready.

/// Names one wait of one fiber or thread. Waking it twice, or after the wait has ended, does nothing.
struct waker {
  core::fiber* target;
  std::uint64_t epoch;
};

/// Why a park ended. From 16 to 255 they are the waker's own.
enum wake_reason : int {
  woken = 0,
  timed_out = 1,       ///< the deadline passed
  interrupted = 2,     ///< a signal for a thread under the shim; never seen by `weft::park`
  cancelled_wait = 3,  ///< something cancels what the fiber does: clean up, then call `throw_cancelled`
};

/// Opens the next wait of the calling fiber or thread, and closes the one before it: until its park it may yield and spawn only.
///
/// Never called by a callback of the hub, which may not wait: that aborts.
/// @throws std::bad_alloc  on the first call of a thread that has no hub, when there is no memory
waker prepare_park();

/// Waits until @p w, which the last `prepare_park` of the caller gave, is woken. A waker of somebody else aborts.
///
/// If a wake and a cancellation meet, the wake wins and the cancellation stays due for the next suspension point.
/// @param object  what is waited for, shown in dumps
/// @return a wake_reason, or what the waker said
int park(waker w, deadline by, const void* object = nullptr) noexcept;

/// The same, but nothing cancels it: for the relocking of a condition variable's mutex, and for destructors.
int park_shielded(waker w, deadline by, const void* object = nullptr) noexcept;

/// Throws what is due: `cancelled`, a timeout's own exception, or the one that `kill` was given. Each request is thrown
/// once. Only behind a park that returned `cancelled_wait`, and on the same fiber; if nothing is due it aborts.
[[noreturn]] void throw_cancelled();

/// Ends the wait that @p w names, if it still stands, with @p reason. Never switches and never blocks.
void unpark(waker w, int reason = woken) noexcept;

}  // namespace weft
