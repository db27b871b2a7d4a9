// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "core/fiber.hpp"
#include "core/hub.hpp"
#include "weft/deadline.hpp"

namespace weft::core {

inline hub* this_hub() noexcept { return weft_this_hub; }
/// The running fiber. Only on a thread that has a hub.
inline fiber& self() noexcept { return *weft_this_hub->current; }

/// Opens the next park of the running fiber: wakers with the returned epoch end it, also before it began.
inline waker prepare_park() noexcept {
  fiber& f = self();
  return {&f, ++f.epoch};
}

/// Waits until @p w, which the last `prepare_park` gave, is woken. The one way that a fiber waits.
///
/// @param interruptible  whether a signal for the fiber ends the wait (or, noted before, prevents it), and what cancels it, unless it
///                       waits for another fiber.
/// @return a wake_reason, or what the waker said.
int park(waker w, std::int64_t due_ns, wait_kind kind, const void* object, bool interruptible = false) noexcept;

/// The same, ended also by a record that cancels what the fiber does: a cancellation point of the library. Not for hooks.
int park_cancellable(waker w, std::int64_t due_ns, wait_kind kind, const void* object) noexcept;

// Ended by weft::unpark (weft/park.hpp): from any thread, and from signal handlers of a thread without a hub.

/// Ends the park of who waits for a fiber's end. In a crowd it goes before the others, as the fiber did (`hub::prefer`).
void unpark_joiner(waker w) noexcept;

/// Ends the present park of @p f with `interrupted` if it is interruptible, else the next one that is.
void interrupt(fiber& f) noexcept;

/// Lets the other ready fibers run first.
void yield() noexcept;
/// The same, and looks at I/O and timers now: what sched_yield and preemption do.
void yield_and_poll() noexcept;

/// Makes the message that @p f gets from elsewhere ready for use; `launch` does so itself.
void prepare_mail(fiber& f) noexcept;
/// Asks the hub of @p f for @p what. From any thread, and from signal handlers.
void post_mail(fiber& f, mail_bit what) noexcept;

/// Puts a new fiber into the run queue of its hub (@p f.home), once @p start_ns has come. From any thread.
void launch(fiber& f, std::int64_t start_ns = 0) noexcept;

/// Readies a fiber that was to start later. On its hub.
void start_now(fiber& f) noexcept;

/// Gives a fiber that has a stack of its own (not the hub's to give) its first context: `f.run(f)` below @p stack_top.
void make_context(fiber& f, void* stack_top) noexcept;

/// Ends the running fiber: switches away for good; its hub then calls `fiber.end`.
[[noreturn]] void finish() noexcept;

/// Switches from the running fiber to @p to, both of this hub. For the core itself.
void switch_to(hub& h, fiber& to) noexcept;

}  // namespace weft::core
