// SPDX-License-Identifier: MIT
#include "shim/signal_actions.hpp"

#include <errno.h>

#include <new>

#include "base/spinlock.hpp"
#include "core/hub.hpp"
#include "shim/arch/x86_64/signal_frame.hpp"
#include "shim/signal_catch.hpp"
#include "shim/signal_masks.hpp"
#include "shim/signal_queue.hpp"
#include "shim/signals.hpp"
#include "shim/thread.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

constinit base::spinlock lock;
constinit kernel_action actions[last_signal + 1];
constinit std::atomic<signal_set> caught{0};

constexpr unsigned long restorer_flag = 0x04000000;  // SA_RESTORER, asm/signal.h
constexpr unsigned long expose_tagbits = 0x800;      // SA_EXPOSE_TAGBITS
// Others are cleared so that programs can ask what a kernel knows (include/uapi/asm-generic/signal-defs.h).
constexpr unsigned long known_flags = SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER |
                                      static_cast<unsigned>(SA_RESETHAND) | restorer_flag | expose_tagbits;

long kernel_sigaction(int sig, const kernel_action* act, kernel_action* old) noexcept {
  return base::raw_syscall(SYS_rt_sigaction, sig, act, old, sizeof(signal_set));
}

bool is_fault(int sig) noexcept { return (synchronous & signal_bit(sig)) != 0; }

// What the kernel is to have while the program has `act`. @return false for signals whose place is Weft's own.
bool kernel_side(int sig, const kernel_action& act, kernel_action& to) noexcept {
  if (sig == kick_signal) return false;
  const bool always = sig == SIGSEGV || sig == SIGBUS || (sig == SIGPIPE && act.word != 1);
  to = act;
  if (!act.handles() && !always) return true;
  // Everything stays blocked in our handler but the faults, so that it is never interrupted half way.
  to.flags = SA_SIGINFO | SA_ONSTACK | restorer_flag | (act.flags & (SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT));
  to.restorer = weft_signal_restorer;
  to.mask = ~synchronous;
  to.detailed = on_signal;
  if (is_fault(sig)) {
    to.flags |= SA_NODEFER;
    to.detailed = on_fault;
  }
  return true;
}

void install(int sig, const kernel_action& act) noexcept {
  kernel_action to;
  if (!kernel_side(sig, act, to)) return;
  kernel_sigaction(sig, &to, nullptr);
  if (to.detailed == on_signal || to.detailed == on_fault) {
    caught.fetch_or(signal_bit(sig), std::memory_order_seq_cst);
  } else {
    caught.fetch_and(~signal_bit(sig), std::memory_order_seq_cst);
  }
}

void install_kick() noexcept {
  kernel_action kick;
  kick.detailed = on_kick;
  kick.flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | restorer_flag;
  kick.restorer = weft_signal_restorer;
  kick.mask = ~synchronous;
  kernel_sigaction(kick_signal, &kick, nullptr);
}

}  // namespace

signals_guard::signals_guard() noexcept : native_(weft_this_hub == nullptr) {
  if (native_) before_ = block_in_kernel(~synchronous);
  lock.lock();
}
signals_guard::~signals_guard() noexcept {
  lock.unlock();
  if (native_) block_in_kernel(before_);
}
void reset_signals_lock() noexcept { new (&lock) base::spinlock; }

default_effect default_of(int sig) noexcept {
  switch (sig) {
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
      return default_effect::ignore;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
      return default_effect::stop;
    default:
      return default_effect::terminate;
  }
}

kernel_action action_of(int sig) noexcept {
  const signals_guard guard;
  return actions[sig];
}

kernel_action use_action(int sig) noexcept {
  const signals_guard guard;
  const kernel_action act = actions[sig];
  if (act.handles() && (act.flags & static_cast<unsigned>(SA_RESETHAND)) != 0) {
    actions[sig].handler = SIG_DFL;
    install(sig, actions[sig]);
  }
  return act;
}

bool is_ignored(int sig) noexcept {
  const kernel_action act = action_of(sig);
  return act.handler == SIG_IGN || (act.handler == SIG_DFL && default_of(sig) == default_effect::ignore);
}

signal_set caught_signals() noexcept { return caught.load(std::memory_order_seq_cst); }

void adopt_actions() noexcept {
  for (int sig = 1; sig <= last_signal; ++sig) {
    if ((unblockable & signal_bit(sig)) != 0) continue;
    actions[sig] = {};
    if (kernel_sigaction(sig, nullptr, &actions[sig]) != 0) continue;
    install(sig, actions[sig]);
  }
  install_kick();
}

void restore_actions() noexcept {
  for (int sig = 1; sig <= last_signal; ++sig) {
    if ((unblockable & signal_bit(sig)) == 0) kernel_sigaction(sig, &actions[sig], nullptr);
  }
  caught.store(0, std::memory_order_relaxed);
}

void let_kernel_act(int sig) noexcept {
  const kernel_action natural{};
  kernel_sigaction(sig, &natural, nullptr);
}

void take_default(int sig, const siginfo_t& info) noexcept {
  const long pid = base::raw_syscall(SYS_getpid);
  if (default_of(sig) == default_effect::stop) {
    base::raw_syscall(SYS_kill, pid, sig);
    return;
  }
  let_kernel_act(sig);
  siginfo_t copy = info;
  copy.si_signo = sig;
  base::raw_syscall(SYS_rt_tgsigqueueinfo, pid, base::raw_syscall(SYS_gettid), sig, &copy);
  block_in_kernel(~signal_bit(sig));  // it ends here
  base::raw_syscall(SYS_exit_group, 128 + sig);
}

long sys_rt_sigaction(call& c) noexcept {
  const int sig = static_cast<int>(c.args[0]);
  if (c.args[3] != sizeof(signal_set)) return -EINVAL;
  const auto* from = c.arg<const void*>(1);
  kernel_action act;
  if (from != nullptr && !copy_in(act, from)) return -EFAULT;
  if (sig < 1 || sig > last_signal || (from != nullptr && (unblockable & signal_bit(sig)) != 0)) return -EINVAL;
  kernel_action old;
  {
    const signals_guard guard;
    old = actions[sig];
    if (from != nullptr) {
      act.flags &= known_flags;
      act.mask &= ~unblockable;
      actions[sig] = act;
      install(sig, act);
    }
  }
  if (from != nullptr && !act.handles()) {
    // A signal that is ignored from now on is no longer pending (kernel/signal.c, do_sigaction).
    if (is_ignored(sig)) drop_everywhere(sig);
    // One that our handler would have held off may be let through by the kernel no more.
    settle_kernel_mask();
  }
  if (auto* to = c.arg<void*>(2); to != nullptr && !copy_out(to, old)) return -EFAULT;
  return 0;
}

}  // namespace weft::shim
