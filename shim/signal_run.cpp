// SPDX-License-Identifier: MIT
#include "shim/signal_run.hpp"

#include <errno.h>

#include <cstring>

#include "core/cancel.hpp"
#include "core/scheduler.hpp"
#include "shim/arch/x86_64/signal_frame.hpp"
#include "shim/memory.hpp"
#include "shim/signal_masks.hpp"
#include "shim/signal_queue.hpp"
#include "shim/signals.hpp"
#include "shim/thread.hpp"

namespace weft::shim {

namespace {

constexpr int autodisarm = static_cast<int>(1U << 31);  // SS_AUTODISARM

std::uint64_t stack_pointer() noexcept { return reinterpret_cast<std::uint64_t>(__builtin_frame_address(0)); }

bool is_restart(long result) noexcept {
  return result == restart_sys || result == restart_always || result == restart_nohand || result == restart_block;
}

// Whether @p sp is on the stack that the thread began on.
bool on_own_stack(const thread& t, std::uint64_t sp) noexcept {
  if (sp > t.start_sp) return false;
  if (!t.is_main) return sp >= t.stack_bottom;
  return t.start_sp - sp < main_stack_limit();
}

void restore_mask(thread& t) noexcept {
  t.signals.restore_saved_mask = false;
  change_mask(t, t.signals.saved_mask);
}

// Handlers of the signals in `d` and behind it, for a call that has `result`.
// @return whether the program changed the registers that it goes on with
bool run_in_call(thread& t, delivery& d, call_context& at) {
  greg_t before[NGREG];
  std::memcpy(before, at.context.uc_mcontext.gregs, sizeof before);
  do {
    run_handler(t, d, at.context);
  } while (next_signal(t, d));
  return std::memcmp(before, at.context.uc_mcontext.gregs, sizeof before) != 0;
}

// Goes on with all that a handler wrote into its context.
void leave_by_context(thread& t, call& c, ucontext_t& at, std::uint64_t ip, bool again) {
  const greg_t* r = at.uc_mcontext.gregs;
  const auto get = [r](int index) { return static_cast<std::uint64_t>(r[index]); };
  if (get(REG_RIP) == ip) {
    // Still behind its call, or before it: only the site's stub can go on there.
    frame& f = *c.at;
    f.r15 = get(REG_R15), f.r14 = get(REG_R14), f.r13 = get(REG_R13), f.r12 = get(REG_R12);
    f.rbx = get(REG_RBX), f.rbp = get(REG_RBP), f.r8 = get(REG_R8), f.r9 = get(REG_R9), f.r10 = get(REG_R10);
    f.rdi = get(REG_RDI), f.rsi = get(REG_RSI), f.rdx = get(REG_RDX);
    if (again) {
      c = call{static_cast<long>(get(REG_RAX)), {f.rdi, f.rsi, f.rdx, f.r10, f.r8, f.r9}, c.at};
      return;
    }
    t.hooked = 0;
    weft_resume(&f, get(REG_RSP), static_cast<long>(get(REG_RAX)));
  }
  block_in_kernel(~synchronous);
  base::raw_syscall(SYS_sigaltstack, nullptr, &at.uc_stack);
  mask_of(at) = ~synchronous;
  follow_masks(*t.home, mask_of(at));
  t.hooked = 0;
  weft_signal_return(&at);
}

}  // namespace

bool on_alternate(const thread& t, std::uint64_t sp) noexcept {
  const stack_t& a = t.signals.alternate;
  if ((a.ss_flags & autodisarm) != 0) return false;
  const auto bottom = reinterpret_cast<std::uint64_t>(a.ss_sp);
  return sp > bottom && sp - bottom <= a.ss_size;
}

stack_t describe_alternate(const thread& t, std::uint64_t sp) noexcept {
  stack_t told = t.signals.alternate;
  const int keep = told.ss_flags & autodisarm;
  told.ss_flags = keep | (told.ss_size == 0 ? SS_DISABLE : on_alternate(t, sp) ? SS_ONSTACK : 0);
  return told;
}

std::uint64_t handler_stack(const thread& t, const kernel_action& act, std::uint64_t sp) noexcept {
  const stack_t& a = t.signals.alternate;
  if ((act.flags & SA_ONSTACK) == 0 || a.ss_size == 0 || on_alternate(t, sp)) return 0;
  return reinterpret_cast<std::uint64_t>(a.ss_sp) + a.ss_size;
}

// Machine code that a program makes may keep other things close below its stack pointer (Erlang's: the heap of the running
// process), and then sees to it that every handler has an alternate stack.
std::uint64_t interruption_stack(const thread& t, const ucontext_t& at) noexcept {
  constexpr std::uint64_t red_zone = 128;
  constexpr std::size_t own_frames = 3 * 1024;
  const stack_t& a = t.signals.alternate;
  const std::uint64_t sp = sp_of(at);
  if (a.ss_size < frame_size(at) + own_frames || on_alternate(t, sp) || on_own_stack(t, sp)) return sp - red_zone;
  return reinterpret_cast<std::uint64_t>(a.ss_sp) + a.ss_size;
}

bool next_signal(thread& t, delivery& d) noexcept {
  signal_state& s = t.signals;
  for (;;) {
    s.attention.store(false, std::memory_order_seq_cst);
    collect_arrivals(*t.home);
    const int sig = dequeue(t, ~s.mask.load(std::memory_order_relaxed), d.info);
    if (sig == 0) {
      s.attention.store(false, std::memory_order_seq_cst);
      if (is_deliverable(t)) continue;
      t.interrupt_pending = false;
      return false;
    }
    d.act = use_action(sig);
    if (d.act.handles()) return true;
    if (d.act.handler == SIG_DFL && default_of(sig) != default_effect::ignore) take_default(sig, d.info);
  }
}

void run_handler(thread& t, delivery& d, ucontext_t& at) {
  signal_state& s = t.signals;
  const int sig = d.info.si_signo;
  const signal_set before = s.mask.load(std::memory_order_relaxed);
  mask_of(at) = s.restore_saved_mask ? s.saved_mask : before;
  s.restore_saved_mask = false;
  at.uc_stack = describe_alternate(t, sp_of(at));
  change_mask(t, before | d.act.mask | ((d.act.flags & SA_NODEFER) != 0 ? 0 : signal_bit(sig)));
  // The kernel stacks the frames of all that can be delivered before it lets any handler run: the last one runs first.
  for (delivery inner; next_signal(t, inner);) {
    ucontext_t start = at;
    set_ip(start, d.act.word);
    run_handler(t, inner, start);
  }
  const std::uint64_t sp = handler_stack(t, d.act, stack_pointer());
  const stack_t alternate = s.alternate;
  if (sp != 0 && (alternate.ss_flags & autodisarm) != 0) s.alternate = {nullptr, 0, SS_DISABLE};
  t.hooked = 0;
  weft_call_handler(d.act.detailed, sig, &d.info, &at, sp);
  t.hooked = 1;
  if ((alternate.ss_flags & autodisarm) != 0 && s.alternate.ss_size == 0) s.alternate = alternate;
  change_mask(t, mask_of(at));
}

void run_pending(core::hub& h, thread& t, ucontext_t& at) {
  const stack_t carriers = at.uc_stack;
  do {
    block_in_kernel(carrier_mask(h));
    for (delivery d; next_signal(t, d);) run_handler(t, d, at);
    block_in_kernel(~synchronous);
  } while (t.signals.attention.load(std::memory_order_relaxed));
  at.uc_stack = carriers;
}

// Through here go forced unwinding (asynchronous cancellation) and siglongjmp.
long deliver_signals(call& c, long result, bool& again) {
  thread& t = self();
  signal_state& s = t.signals;
  // It is C that called: there is no unwinding through it, and it would not be asked again.
  if (is_restart(result) && core::is_cancel_due(t)) result = -ECANCELED;
  const bool interrupted = is_restart(result);
  // A wait that ended well takes its mask with it before signals are looked at (restore_saved_sigmask_unless).
  if (s.restore_saved_mask && !interrupted && result != -EINTR) restore_mask(t);
  again = false;
  delivery d;
  if (next_signal(t, d)) {
    again = result == restart_always || (result == restart_sys && (d.act.flags & SA_RESTART) != 0);
    if (interrupted && !again) result = -EINTR;
    // The kernel has moved the program back onto its instruction when a call is to be made again.
    const std::uint64_t ip = again ? c.at->ret - 2 : c.at->ret;
    const auto ax = static_cast<std::uint64_t>(again ? c.nr : result);
    call_context at;
    describe_call(at, *c.at, ip, ax);
    if (run_in_call(t, d, at)) leave_by_context(t, c, at.context, ip, again);
  } else {
    again = interrupted;
  }
  while (s.restore_saved_mask) {
    restore_mask(t);
    if (!next_signal(t, d)) break;
    call_context at;
    describe_call(at, *c.at, c.at->ret, static_cast<std::uint64_t>(result));
    if (run_in_call(t, d, at)) leave_by_context(t, c, at.context, c.at->ret, false);
  }
  return result;
}

}  // namespace weft::shim
