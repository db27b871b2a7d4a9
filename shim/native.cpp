// SPDX-License-Identifier: MIT
#include "shim/native.hpp"

#include <linux/sched.h>

#include "shim/fd.hpp"
#include "shim/futex.hpp"
#include "shim/hub_threads.hpp"
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
long raw_process_call(frame& f) noexcept {
  clone_request request{};
  if (read_clone_request(f, request)) expect_outsider(request.flags);
  const auto nr = static_cast<long>(f.rax);
  const unsigned long args[6] = {f.rdi, f.rsi, f.rdx, f.r10, f.r8, f.r9};
  return weft_raw_clone(&f, request.stack, nr, args);
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

// The program's dispositions are one table, whoever asks; the kernel's has our handlers in it.
long action_of_light_fiber(frame& f, core::fiber& me) noexcept {
  call c = call_of(f);
  me.hooked = 1;
  const long result = sys_rt_sigaction(c);
  me.hooked = 0;
  return result;
}

// A fork's child has nothing of the hubs. One that shares our memory must not pass for this fiber: what it asks of the kernel before it
// execs is its own.
long process_of_light_fiber(frame& f, core::fiber& me) noexcept {
  clone_request request{};
  const bool shares = f.rax == SYS_vfork || (read_clone_request(f, request) && (request.flags & CLONE_VM) != 0);
  if (is_threaded()) note_fork();
  if (!shares && request.stack == 0) {
    const long result = plain_call(f);
    if (result == 0 && is_threaded()) become_light();
    return result;
  }
  if (!shares) return raw_process_call(f);
  me.hooked = 1;
  const long result = raw_process_call(f);
  me.hooked = 0;
  return result;
}

}  // namespace

call call_of(frame& f) noexcept { return {static_cast<long>(f.rax), {f.rdi, f.rsi, f.rdx, f.r10, f.r8, f.r9}, &f}; }

constinit std::atomic<bool> may_have_outsiders{false};

void expect_outsider(std::uint64_t clone_flags) noexcept {
  if ((clone_flags & (CLONE_VM | CLONE_VFORK | CLONE_SETTLS)) == CLONE_VM) {
    may_have_outsiders.store(true, std::memory_order_relaxed);
  }
}

bool is_outsider() noexcept {
  const core::hub* const h = weft_this_hub;
  return h != nullptr && base::raw_syscall(SYS_gettid) != h->kernel_tid.load(std::memory_order_relaxed);
}

long outsider_call(frame& f) { return makes_process(static_cast<long>(f.rax)) ? raw_process_call(f) : plain_call(f); }

long internal_call(frame& f) {
  const auto nr = static_cast<long>(f.rax);
  long result;
  if (hub_thread_call(f, result)) return result;
  if (is_futex(nr)) return futex_call(f);
  core::fiber* const me = calling_light_fiber();
  if (me != nullptr && nr == SYS_rt_sigaction) return action_of_light_fiber(f, *me);
  if (makes_process(nr)) return me != nullptr ? process_of_light_fiber(f, *me) : raw_process_call(f);
  return plain_call(f);
}

long native_call(frame& f) {
  const auto nr = static_cast<long>(f.rax);
  if (is_futex(nr)) return futex_call(f);
  return makes_process(nr) ? raw_process_call(f) : plain_call(f);
}

}  // namespace weft::shim
