// SPDX-License-Identifier: MIT
#include "shim/process.hpp"

#include <linux/sched.h>

#include "shim/fd.hpp"
#include "shim/native.hpp"
#include "shim/signals.hpp"
#include "shim/thread.hpp"
#include "shim/threads.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

// In the child of a fork: only the calling thread lives (fork(2)), and the kernel knows it.
void survive_fork(thread& me) noexcept {
  become_solo();
  keep_survivor(me);
  restore_native_signals(me);
  // Signals that were on their way to it stayed with the parent (fork(2)); nobody is here to deliver them.
  me.signals.attention.store(false, std::memory_order_relaxed);
  me.signals.restore_saved_mask = false;
  if (me.robust != nullptr) base::raw_syscall(SYS_set_robust_list, me.robust, sizeof(void*) * 3);
  if (!me.is_main) base::raw_syscall(SYS_prctl, 15 /* PR_SET_NAME */, me.name);
}

long fork_like(call& c, std::uint64_t stack) noexcept {
  thread& me = self();
  note_fork();
  hold_signals();
  const long result = fork_here(c, stack);
  if (result == 0) {
    survive_fork(me);
    if (stack != 0) weft_resume(c.at, stack, 0);
    return 0;
  }
  hide_signals();
  return result;
}

void after_vfork() noexcept {
  hide_signals();
  self().hooked = 0;
}

// The child shares our memory, and our state with it: `hooked` stays up meanwhile, so that it goes to the kernel with
// all it does. The kernel holds the calling carrier until it execs or ends, as it holds the calling thread natively.
long vfork_like(call& c, std::uint64_t stack) noexcept {
  note_fork();
  expose_signals();
  if (stack == 0) weft_raw_vfork(c.at, after_vfork);
  const long result = weft_raw_clone(c.at, stack, c.nr, c.args);
  hide_signals();
  return result;
}

}  // namespace

long fork_here(const call& c, std::uint64_t stack) noexcept {
  call to = c;
  if (c.nr == SYS_clone) to.args[1] = 0;
  clone_args args;
  if (c.nr == SYS_clone3 && stack != 0) {
    if (!weft_user_copy(&args, c.arg<const void*>(0), CLONE_ARGS_SIZE_VER0)) return -EFAULT;
    args.stack = args.stack_size = 0;
    to.args[0] = reinterpret_cast<unsigned long>(&args);
    to.args[1] = CLONE_ARGS_SIZE_VER0;
  }
  return pass(to);
}

long clone_process(call& c, const clone_request& request) noexcept {
  if ((request.flags & CLONE_VM) == 0) return fork_like(c, request.stack);
  if ((request.flags & CLONE_VFORK) != 0) return vfork_like(c, request.stack);
  note_fork();
  // A process that shares memory and runs beside us, with storage of its own or not: nothing is known of its use of
  // either, so it gets what the kernel gives.
  return native_call(*c.at);
}

long sys_fork(call& c) noexcept { return fork_like(c, 0); }
long sys_vfork(call& c) noexcept { return vfork_like(c, 0); }

long sys_exec(call& c) noexcept {
  expose_signals();
  const signal_set pending = expose_pending();
  const long result = pass(c);
  hide_pending(pending);
  hide_signals();
  return result;
}

}  // namespace weft::shim
