// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

#include "shim/dispatch.hpp"
#include "shim/signal_state.hpp"

namespace weft::core {
class hub;
}

namespace weft::shim {

struct thread;

/// At the first thread: takes over the dispositions that the program has installed so far and the calling (only)
/// thread's mask and alternate stack (@p main), installs our wrapper and the fault handler.
void adopt_signals(thread& main) noexcept;
/// What a new thread inherits (clone(2)): the creator's mask, no pending signals, no alternate stack.
void inherit_signals(thread& child, const thread& creator) noexcept;
/// The thread has ended: its pending signals are dropped, its mask counts no more.
void forget_signals(thread& dying) noexcept;
/// The kernel mask that a carrier runs with; @p index 0 takes the process's signals. Called on that OS thread.
void set_carrier_mask(unsigned index) noexcept;

/// On the way out of a hook: runs the handlers of signals that the calling fiber can take now.
/// @param result  what the handler of the call returned
/// @return what the program gets; @p again is set when the call is to be made again instead.
/// Handlers may leave by siglongjmp or unwind, through here and what called it.
long deliver_signals(call& c, long result, bool& again);
/// Whether `deliver_signals` has to be called.
inline bool signals_want(const signal_state& s, long result) noexcept {
  return s.attention.load(std::memory_order_relaxed) || s.restore_saved_mask ||
         (result <= restart_sys && result >= restart_block);
}

/// Raises @p sig for the thread, with siginfo @p info, as tgkill and the kernel's own SIGPIPE do. From any thread.
void raise_for(thread& target, int sig, const siginfo_t& info) noexcept;

/// Around a call that makes a process or replaces this one: the kernel's mask and dispositions of the calling carrier
/// are made the fiber's own, so that the child inherits what it would have natively; then undone.
void expose_signals() noexcept;
void hide_signals() noexcept;
/// For a fork instead of the first: everything is blocked, so that none comes to the child before its own handlers are
/// back.
void hold_signals() noexcept;
/// Between `expose_signals` and an exec, which keeps them: what is pending for the thread is given to the kernel's. If the
/// exec fails they are taken back.
/// @return which
signal_set expose_pending() noexcept;
void hide_pending(signal_set exposed) noexcept;
/// In a fork's child: handlers are the program's own again, and nothing is on its way to anybody.
void forget_signals_of_parent() noexcept;
/// The same where a thread survives: its mask becomes the kernel's, too.
void restore_native_signals(thread& survivor) noexcept;

/// Makes the preemption tick of a hub, on its OS thread, if it has none; and arms it when a fiber begins to run after a pause.
void start_tick(core::hub& h) noexcept;
void arm_tick(core::hub& h) noexcept;
/// By hub: whether it is armed. One byte to look at, on the way out of each call.
extern std::atomic<bool> ticking[];

/// The kernel signal by which Weft makes a carrier look at its own state. glibc means 33 for setuid and never blocks it
/// (SIGSETXID); under the patch its use of it does not reach the kernel.
inline constexpr int kick_signal = 33;

// The handlers of the table that belong here.
long sys_rt_sigaction(call&) noexcept;
long sys_rt_sigprocmask(call&) noexcept;
long light_sigprocmask(call&) noexcept;  ///< of a light fiber
long sys_rt_sigpending(call&) noexcept;
long sys_rt_sigtimedwait(call&) noexcept;
long sys_rt_sigsuspend(call&) noexcept;
long sys_rt_sigqueueinfo(call&) noexcept;
long sys_rt_tgsigqueueinfo(call&) noexcept;
long sys_kill(call&) noexcept;
long sys_tkill(call&) noexcept;
long sys_tgkill(call&) noexcept;
long sys_pause(call&) noexcept;
long sys_sigaltstack(call&) noexcept;
long sys_signalfd(call&) noexcept;
long sys_timer_create(call&) noexcept;
long sys_timer_delete(call&) noexcept;

}  // namespace weft::shim
