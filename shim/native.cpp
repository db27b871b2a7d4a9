// SPDX-License-Identifier: MIT
#include "shim/native.hpp"

#include <linux/sched.h>

#include "shim/fd.hpp"
#include "shim/futex.hpp"
#include "shim/hub_threads.hpp"
#include "shim/outsiders.hpp"
#include "shim/process.hpp"
#include "shim/signal_masks.hpp"
#include "shim/signals.hpp"
#include "shim/thread.hpp"
#include "shim/threads.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

bool makes_process(long nr) noexcept {
  return nr == SYS_clone || nr == SYS_clone3 || nr == SYS_fork || nr == SYS_vfork;
}

// A child may come back on another stack, which raw_syscall's own frame is not on.
// @param after  what the parent calls when a child that was on its own stack has left that; then it does not return from here
long raw_process_call(frame& f, const clone_request& request, void (*after)() noexcept = nullptr) noexcept {
  if ((request.flags & CLONE_VM) != 0 && request.stack == 0) weft_raw_vfork(&f, after);
  unsigned long args[6] = {f.rdi, f.rsi, f.rdx, f.r10, f.r8, f.r9};
  expected_outsider outsider(f, request, args);
  const long result = weft_raw_clone(&f, request.stack, static_cast<long>(f.rax), args);
  if (base::is_error(result)) outsider.is_none();
  return result;
}

long plain_call(const frame& f) noexcept {
  const auto nr = static_cast<long>(f.rax);
  return base::raw_syscall(nr, f.rdi, f.rsi, f.rdx, f.r10, f.r8, f.r9);
}

// A call on one of libc's own futexes by who is no fiber, or by a hub's thread or libc's setxid handler for one: it is for fibers to see.
long futex_call(frame& f) noexcept {
  call c = call_of(f);
  return native_futex(c);
}

// A light fiber between its own calls, which may wait; not a hub's loop, nor what is inside Weft already.
core::fiber* calling_light_fiber() noexcept {
  core::hub& h = *weft_this_hub;
  core::fiber& me = *h.current;
  return me.light && me.hooked == 0 && &me != &h.loop_fiber ? &me : nullptr;
}

// A call of a light fiber's that we answer ourselves, by @p handle.
long answer_light_fiber(frame& f, core::fiber& me, long (*handle)(call&) noexcept) noexcept {
  call c = call_of(f);
  me.hooked = 1;
  const long result = handle(c);
  me.hooked = 0;
  return result;
}

// In a fork's child nothing of the hubs is left. A signal must not come before it knows that.
long fork_of_light_fiber(frame& f, const clone_request& request) noexcept {
  core::hub& h = *weft_this_hub;
  const signal_set mask = light_mask(h);
  expose_mask(h, ~signal_set{0});
  const long result = fork_here(call_of(f), request.stack);
  if (result != 0) {
    hide_mask(h);
    return result;
  }
  become_light(mask);
  if (request.stack != 0) weft_resume(&f, request.stack, 0);
  return 0;
}

void after_shared_child() noexcept {
  core::hub& h = *weft_this_hub;
  hide_mask(h);
  h.current->hooked = 0;
}

// A child that shares our memory must not pass for this fiber: what it asks of the kernel before it execs is its own.
long process_of_light_fiber(frame& f, core::fiber& me) noexcept {
  const clone_request request = read_clone_request(f);
  if (!is_threaded()) return raw_process_call(f, request);
  note_fork();
  if ((request.flags & CLONE_VM) == 0) return fork_of_light_fiber(f, request);
  me.hooked = 1;
  core::hub& h = *weft_this_hub;
  expose_mask(h, light_mask(h));
  const long result = raw_process_call(f, request, after_shared_child);
  after_shared_child();
  return result;
}

}  // namespace

call call_of(frame& f) noexcept { return {static_cast<long>(f.rax), {f.rdi, f.rsi, f.rdx, f.r10, f.r8, f.r9}, &f}; }

long outsider_call(frame& f) {
  return makes_process(static_cast<long>(f.rax)) ? raw_process_call(f, read_clone_request(f)) : plain_call(f);
}

long internal_call(frame& f) {
  const auto nr = static_cast<long>(f.rax);
  long result;
  if (hub_thread_call(f, result)) return result;
  if (is_futex(nr)) return futex_call(f);
  core::fiber* const me = calling_light_fiber();
  // The program's dispositions are one table, whoever asks; the kernel's has our handlers in it.
  if (me != nullptr && nr == SYS_rt_sigaction) return answer_light_fiber(f, *me, sys_rt_sigaction);
  if (me != nullptr && nr == SYS_rt_sigprocmask && is_threaded()) return answer_light_fiber(f, *me, light_sigprocmask);
  if (me != nullptr && makes_process(nr)) return process_of_light_fiber(f, *me);
  return outsider_call(f);
}

long native_call(frame& f) { return is_futex(static_cast<long>(f.rax)) ? futex_call(f) : outsider_call(f); }

}  // namespace weft::shim
