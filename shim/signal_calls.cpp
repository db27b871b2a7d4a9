// SPDX-License-Identifier: MIT
// Masks, alternate stacks, and sending.
#include <errno.h>

#include <cstring>

#include "core/runtime.hpp"
#include "shim/fault.hpp"
#include "shim/setid.hpp"
#include "shim/signal_actions.hpp"
#include "shim/signal_catch.hpp"
#include "shim/signal_masks.hpp"
#include "shim/signal_queue.hpp"
#include "shim/signal_run.hpp"
#include "shim/signal_timers.hpp"
#include "shim/signal_wait.hpp"
#include "shim/signalfd.hpp"
#include "shim/signals.hpp"
#include "shim/thread.hpp"
#include "shim/tick.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

long own_pid() noexcept { return base::raw_syscall(SYS_getpid); }

bool is_signal(int sig) noexcept { return sig > 0 && sig <= last_signal; }

// Whether the virtual queues have to do with @p sig when it is sent to the process: else the kernel acts.
bool is_ours(int sig) noexcept { return is_signal(sig) && (caught_signals() & signal_bit(sig)) != 0; }

siginfo_t sent_by_us(int sig, int code) noexcept {
  siginfo_t info;
  std::memset(&info, 0, sizeof info);
  info.si_signo = sig;
  info.si_code = code;
  info.si_pid = static_cast<pid_t>(own_pid());
  info.si_uid = static_cast<uid_t>(base::raw_syscall(SYS_getuid));
  return info;
}

long send_to_thread(thread& to, int sig, const siginfo_t& info) noexcept {
  if (sig == 0) return 0;
  if (!is_signal(sig)) return -EINVAL;
  if ((unblockable & signal_bit(sig)) != 0) return base::raw_syscall(SYS_kill, own_pid(), sig);
  const bool blocked = (to.signals.mask.load(std::memory_order_seq_cst) & signal_bit(sig)) != 0;
  if (blocked && has_signalfd(sig) && leave_to_kernel(sig, info)) return 0;
  raise_for(to, sig, info);
  return 0;
}

// tkill and tgkill: @p tid may be a fiber's, or a thread's that Weft keeps for itself and libc knows.
long send_by_tid(call& c, int tid, int sig) noexcept {
  if (sig == kick_signal && run_setid_handler(tid)) return 0;
  thread* to = find_thread(tid);
  if (to == nullptr) return pass(c);
  return send_to_thread(*to, sig, sent_by_us(sig, SI_TKILL));
}

// What rt_sigprocmask makes of a mask.
long read_mask_call(const call& c, signal_set& mask) noexcept {
  if (c.args[3] != sizeof(signal_set)) return -EINVAL;
  const auto* from = c.arg<const void*>(1);
  if (from == nullptr) return 0;
  signal_set set;
  if (!copy_in(set, from)) return -EFAULT;
  switch (static_cast<int>(c.args[0])) {
    case SIG_BLOCK:
      mask |= set;
      return 0;
    case SIG_UNBLOCK:
      mask &= ~set;
      return 0;
    case SIG_SETMASK:
      mask = set;
      return 0;
    default:
      return -EINVAL;
  }
}

}  // namespace

void adopt_signals(thread& main) noexcept {
  find_library();
  adopt_actions();
  signal_set mask = 0;
  base::raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, nullptr, &mask, sizeof mask);
  start_queue(main);
  main.signals.mask.store(mask & ~unblockable, std::memory_order_relaxed);
  base::raw_syscall(SYS_sigaltstack, nullptr, &main.signals.alternate);
  if ((main.signals.alternate.ss_flags & SS_DISABLE) != 0) main.signals.alternate = {nullptr, SS_DISABLE, 0};
  main.signals.alternate.ss_flags &= ~SS_ONSTACK;
  arm_fault_stack(0);
  assume_kernel_mask(mask);
  count_mask(main);
  start_tick(*main.home);  // the loop may not run for long yet
}

void inherit_signals(thread& child, const thread& creator) noexcept {
  start_queue(child);
  child.signals.mask.store(creator.signals.mask.load(std::memory_order_relaxed), std::memory_order_relaxed);
  count_mask(child);
}

void forget_signals(thread& dying) noexcept {
  end_queue(dying);
  uncount_mask(dying);
}

void expose_signals() noexcept { expose_mask(*weft_this_hub, self().signals.mask.load(std::memory_order_relaxed)); }
void hold_signals() noexcept { expose_mask(*weft_this_hub, ~signal_set{0}); }
void hide_signals() noexcept { hide_mask(*weft_this_hub); }

signal_set expose_pending() noexcept {
  thread& t = self();
  const signal_set pending = t.signals.pending.load(std::memory_order_relaxed);
  siginfo_t info;
  while (const int sig = dequeue(t, pending, info)) {
    base::raw_syscall(SYS_rt_tgsigqueueinfo, own_pid(), t.home->kernel_tid.load(std::memory_order_relaxed), sig, &info);
  }
  return pending;
}

void hide_pending(signal_set exposed) noexcept {
  constexpr timespec at_once{0, 0};
  siginfo_t info;
  while (exposed != 0 && base::raw_syscall(SYS_rt_sigtimedwait, &exposed, &info, &at_once, sizeof exposed) > 0) {
    enqueue(self(), info.si_signo, info, false);
  }
}

void forget_signals_of_parent() noexcept {
  reset_signals_lock();
  reset_queues();
  reset_masks();
  reset_timers();
  reset_ticks();
  forget_signal_watches();
  restore_actions();
}

void restore_native_signals(thread& survivor) noexcept {
  forget_signals_of_parent();
  survivor.signals.queue = nullptr;
  survivor.signals.pending.store(0, std::memory_order_relaxed);
  stack_t own = survivor.signals.alternate;
  own.ss_flags &= ~SS_ONSTACK;
  if (own.ss_size == 0) own.ss_flags = SS_DISABLE;
  base::raw_syscall(SYS_sigaltstack, &own, nullptr);
  block_in_kernel(survivor.signals.mask.load(std::memory_order_relaxed));
}

long sys_rt_sigprocmask(call& c) noexcept {
  thread& t = self();
  const signal_set old = t.signals.mask.load(std::memory_order_relaxed);
  signal_set to = old;
  if (const long error = read_mask_call(c, to)) return error;
  change_mask(t, to);
  if (auto* out = c.arg<void*>(2); out != nullptr && !copy_out(out, old)) return -EFAULT;
  return 0;
}

long light_sigprocmask(call& c) noexcept {
  core::hub& h = *weft_this_hub;
  const signal_set old = light_mask(h);
  signal_set to = old;
  if (const long error = read_mask_call(c, to)) return error;
  if (to != old) change_light_mask(h, to);
  if (auto* out = c.arg<void*>(2); out != nullptr && !copy_out(out, old)) return -EFAULT;
  return 0;
}

long sys_rt_sigpending(call& c) noexcept {
  if (c.args[1] > sizeof(signal_set)) return -EINVAL;
  thread& t = self();
  signal_set pending = 0;
  base::raw_syscall(SYS_rt_sigpending, &pending, sizeof pending);
  pending |= t.signals.pending.load(std::memory_order_relaxed);
  pending &= t.signals.mask.load(std::memory_order_relaxed);
  return weft_user_copy(c.arg<void*>(0), &pending, c.args[1]) ? 0 : -EFAULT;
}

long sys_sigaltstack(call& c) noexcept {
  thread& t = self();
  const std::uint64_t sp = c.at->sp;
  const stack_t old = describe_alternate(t, sp);
  if (const auto* from = c.arg<const void*>(0); from != nullptr) {
    stack_t wanted;
    if (!copy_in(wanted, from)) return -EFAULT;
    if (on_alternate(t, sp)) return -EPERM;
    constexpr int autodisarm = static_cast<int>(1U << 31);
    constexpr std::size_t least = 2048;  // MINSIGSTKSZ, which libc 2.34 and later ask the kernel for
    const int mode = wanted.ss_flags & ~autodisarm;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0) return -EINVAL;
    if (mode == SS_DISABLE) {
      wanted.ss_sp = nullptr;
      wanted.ss_size = 0;
    } else if (wanted.ss_size < least) {
      return -ENOMEM;
    }
    t.signals.alternate = wanted;
  }
  if (auto* to = c.arg<void*>(1); to != nullptr && !copy_out(to, old)) return -EFAULT;
  return 0;
}

long sys_kill(call& c) noexcept {
  const int sig = static_cast<int>(c.args[1]);
  if (static_cast<int>(c.args[0]) != own_pid() || !is_ours(sig)) return pass(c);
  send_to_process(sig, sent_by_us(sig, SI_USER));
  return 0;
}

long sys_rt_sigqueueinfo(call& c) noexcept {
  const int sig = static_cast<int>(c.args[1]);
  if (static_cast<int>(c.args[0]) != own_pid() || !is_ours(sig)) return pass(c);
  siginfo_t info;
  if (!copy_in(info, c.arg<const void*>(2))) return -EFAULT;
  info.si_signo = sig;
  send_to_process(sig, info);
  return 0;
}

long sys_tkill(call& c) noexcept { return send_by_tid(c, static_cast<int>(c.args[0]), static_cast<int>(c.args[1])); }

long sys_tgkill(call& c) noexcept {
  if (static_cast<int>(c.args[0]) != own_pid()) return pass(c);
  return send_by_tid(c, static_cast<int>(c.args[1]), static_cast<int>(c.args[2]));
}

long sys_rt_tgsigqueueinfo(call& c) noexcept {
  if (static_cast<int>(c.args[0]) != own_pid()) return pass(c);
  thread* to = find_thread(static_cast<int>(c.args[1]));
  if (to == nullptr) return pass(c);
  const int sig = static_cast<int>(c.args[2]);
  siginfo_t info;
  if (!copy_in(info, c.arg<const void*>(3))) return -EFAULT;
  info.si_signo = sig;
  return send_to_thread(*to, sig, info);
}

}  // namespace weft::shim
