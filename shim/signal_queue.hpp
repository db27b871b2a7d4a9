// SPDX-License-Identifier: MIT
#pragma once

#include "shim/signal_state.hpp"

namespace weft::core {
class hub;
struct fiber;
}  // namespace weft::core

namespace weft::shim {

struct thread;

struct queued_signal {
  queued_signal* next;
  siginfo_t info;
  bool to_process;  // any thread could have taken it
};

/// Queues @p info for @p t, as the kernel does: one of each standard signal, all real-time ones; what is ignored is
/// dropped. Wakes nobody.
/// @return false if the thread has ended
bool enqueue(thread& t, int sig, const siginfo_t& info, bool to_process) noexcept;
/// Takes the next signal of @p t that is in @p of. @return its number, 0: none.
int dequeue(thread& t, signal_set of, siginfo_t& info) noexcept;
/// Gives what was aimed at the process and is blocked by @p t to threads that take it.
void hand_on(thread& t) noexcept;
/// Drops @p sig from all queues.
void drop_everywhere(int sig) noexcept;
/// @return whether @p t can run a handler now, or has something to look at.
bool is_deliverable(const thread& t) noexcept;

/// Lets @p t look at its signals: ends its wait, or stops its carrier for a moment.
void alert(thread& t) noexcept;

/// Has the kernel keep @p sig for the process, if no thread takes it. @return whether that was done
bool leave_to_kernel(int sig, const siginfo_t& info) noexcept;

/// Chooses the thread that takes a signal of the process as the kernel does (complete_signal): main first.
/// Where all block it, it stays (or goes back to) with the kernel, pending for the process.
void send_to_process(int sig, const siginfo_t& info) noexcept;

/// In a signal handler on the OS thread of @p h: notes what the kernel brought. @p to: null for the process.
/// Where there is no room it goes back to the kernel: @p saved, the mask to return to, then holds it.
void note_arrival(core::hub& h, int sig, const siginfo_t& info, core::fiber* to, signal_set& saved) noexcept;
/// On that thread, inside Weft but in no handler: hands out what was noted.
void collect_arrivals(core::hub& h) noexcept;

/// In a fork's child: nothing is queued or noted.
void reset_queues() noexcept;
void start_queue(thread& t) noexcept;
void end_queue(thread& t) noexcept;

}  // namespace weft::shim
