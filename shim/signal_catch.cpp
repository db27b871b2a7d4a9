// SPDX-License-Identifier: MIT
#include "shim/signal_catch.hpp"

#include <dlfcn.h>

#include "core/hub.hpp"
#include "core/scheduler.hpp"
#include "shim/arch/x86_64/signal_frame.hpp"
#include "shim/helper.hpp"
#include "shim/process_report.hpp"
#include "shim/signal_masks.hpp"
#include "shim/signal_queue.hpp"
#include "shim/signal_run.hpp"
#include "shim/signal_timers.hpp"
#include "shim/signals.hpp"
#include "shim/thread.hpp"
#include "shim/tick.hpp"
#include "weft/detail/spin.hpp"

namespace weft::shim {

namespace {
std::uint64_t library_begin = 0;
std::uint64_t library_end = 0;

// On a stack of the thread's, in the place of the kernel's frame, with everything blocked.
void run_interruption(ucontext_t& at, bool switch_out) {
  core::hub& h = *weft_this_hub;
  auto& t = static_cast<thread&>(*h.current);
  t.hooked = 1;
  if (switch_out) {
    block_in_kernel(carrier_mask(h));
    count_preemption(h);
    core::yield_and_poll();
  }
  run_pending(h, t, at);
  follow_masks(h, mask_of(at));
  t.hooked = 0;
}

void run_arrivals(int, siginfo_t*, void* context) { run_interruption(*static_cast<ucontext_t*>(context), false); }
void end_turn(int, siginfo_t*, void* context) { run_interruption(*static_cast<ucontext_t*>(context), true); }

// Leaves the carrier's alternate stack for the thread's.
void go_on_with(void (*enter)(int, siginfo_t*, void*), thread& t, const siginfo_t& info, ucontext_t& at) noexcept {
  const signal_set mask = mask_of(at);
  mask_of(at) = ~synchronous;
  if (move_frame(at, info, interruption_stack(t, at), enter)) return;
  mask_of(at) = mask;
  t.signals.attention.store(true, std::memory_order_relaxed);
}
}  // namespace

core::hub* interrupted_hub() noexcept {
  core::hub* h = weft_this_hub;
  if (h == nullptr || base::raw_syscall(SYS_gettid) != h->kernel_tid.load(std::memory_order_relaxed)) return nullptr;
  return h;
}

thread* interrupted_thread(core::hub& h) noexcept {
  core::fiber* f = h.current;
  return f == nullptr || f->light || f == &h.loop_fiber ? nullptr : static_cast<thread*>(f);
}

void find_library() noexcept {
  dl_find_object object;
  if (_dl_find_object(reinterpret_cast<void*>(&core::park), &object) != 0) return;
  library_begin = reinterpret_cast<std::uint64_t>(object.dlfo_map_start);
  library_end = reinterpret_cast<std::uint64_t>(object.dlfo_map_end);
}

bool in_own_code(const thread* t, const ucontext_t& at) noexcept {
  const std::uint64_t ip = ip_of(at);
  return t != nullptr && t->hooked == 0 && weft_locks_held == 0 && (ip < library_begin || ip >= library_end);
}

void run_natively(int sig, siginfo_t* info, void* context) {
  const kernel_action act = use_action(sig);
  if (act.handler == SIG_IGN) return;
  if (!act.handles()) {
    if (default_of(sig) != default_effect::ignore) take_default(sig, *info);
    return;
  }
  const signal_set mask = mask_of(*static_cast<ucontext_t*>(context));
  block_in_kernel(mask | act.mask | ((act.flags & SA_NODEFER) != 0 ? 0 : signal_bit(sig)));
  act.detailed(sig, info, context);
}

void on_signal(int sig, siginfo_t* info, void* context) {
  core::hub* h = interrupted_hub();
  if (h == nullptr) return run_natively(sig, info, context);
  auto& at = *static_cast<ucontext_t*>(context);
  thread* t = interrupted_thread(*h);
  // A broken pipe is for who wrote to it; what names the kernel's main thread by its number is for the thread that the
  // program knows by it.
  core::fiber* to = nullptr;
  if (sig == SIGPIPE) {
    to = t;
  } else if (info->si_code == SI_TKILL) {
    to = find_thread(h->kernel_tid.load(std::memory_order_relaxed));
  }
  follow_masks(*h, mask_of(at));
  note_arrival(*h, sig, *info, to, mask_of(at));
  if (t == nullptr) return;
  if (!in_own_code(t, at)) {
    t->signals.attention.store(true, std::memory_order_relaxed);
    return;
  }
  go_on_with(run_arrivals, *t, *info, at);
}

void on_kick(int sig, siginfo_t* info, void* context) {
  auto& at = *static_cast<ucontext_t*>(context);
  const bool ended_call = interrupt_helper(at);
  core::hub* h = interrupted_hub();
  if (h == nullptr) {
    if (!ended_call) run_natively(sig, info, context);
    return;
  }
  follow_masks(*h, mask_of(at));
  thread* t = interrupted_thread(*h);
  const bool own_code = in_own_code(t, at);
  bool switch_out = false;
  if (info->si_code == SI_TIMER) {
    int aimed = 0;
    if (is_tick(*h, *info)) {
      switch_out = on_tick(*h) && own_code && !t->cooperative && !on_alternate(*t, sp_of(at));
    } else if (thread* to = timer_target(*info, aimed)) {
      note_arrival(*h, aimed, *info, to, mask_of(at));
      if (t != nullptr) t->signals.attention.store(true, std::memory_order_relaxed);
    }
  }
  if (!own_code) return;
  if (!switch_out && !t->signals.attention.load(std::memory_order_relaxed)) return;
  go_on_with(switch_out ? end_turn : run_arrivals, *t, *info, at);
}

}  // namespace weft::shim
