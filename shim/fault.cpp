// SPDX-License-Identifier: MIT
#include "shim/fault.hpp"

#include "base/message.hpp"
#include "core/overflow.hpp"
#include "core/runtime.hpp"
#include "shim/arch/x86_64/signal_frame.hpp"
#include "shim/memory.hpp"
#include "shim/signal_catch.hpp"
#include "shim/signal_masks.hpp"
#include "shim/signal_queue.hpp"
#include "shim/signal_run.hpp"
#include "shim/signals.hpp"
#include "shim/thread.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

constinit void* fault_stacks[core::max_hubs];

core::fault_place place_of(const siginfo_t& info, const ucontext_t& at) noexcept {
  return {reinterpret_cast<std::uint64_t>(info.si_addr), ip_of(at), sp_of(at),
          static_cast<std::uint64_t>(at.uc_mcontext.gregs[REG_RBP])};
}

// Whether the page of @p address cannot be touched while the one above it is stack.
bool ends_stack(const thread& t, std::uint64_t address) noexcept {
  char byte;
  const std::uint64_t page = address & ~std::uint64_t{4095};
  return address < t.start_sp && !weft_user_copy(&byte, reinterpret_cast<void*>(page), 1) &&
         weft_user_copy(&byte, reinterpret_cast<void*>(page + 4096), 1);
}

bool read_link(core::frame_link& to, std::uint64_t from, const void*) noexcept {
  return weft_user_copy(&to, reinterpret_cast<void*>(from), sizeof to);
}

// What the stack of @p t has had room for, when @p address is the first below it.
std::uint64_t stack_size(const thread& t, std::uint64_t address) noexcept {
  std::uint64_t bottom, size;
  const std::uint64_t first = (address & ~std::uint64_t{4095}) + 4096;
  return (find_thread_stack(t.start_sp - 1, bottom, size) ? bottom + size : t.start_sp) - first;
}

// Whether the limit would let main's stack, of @p size, grow on. The kernel keeps some pages free below it (stack_guard_gap).
bool may_grow_beyond(std::uint64_t size) noexcept {
  constexpr std::uint64_t gap = 1024 * 1024;
  return main_stack_limit() > size + gap;
}

void report_overflow(const thread& t, const core::fault_place& at) noexcept {
  const std::uint64_t address = at.address;
  if (!core::touches_stack_end(at) || !ends_stack(t, address)) return;
  const std::uint64_t size = stack_size(t, address);
  base::message m;
  m << "stack overflow in thread " << t.tid << " \"" << static_cast<const char*>(t.name) << "\": its " << size / 1024
    << " KiB are used up. ";
  if (t.is_main && may_grow_beyond(size)) {
    m << "Another mapping is in the way of more (ulimit -s allows it): recurse in a thread with a stack of its own";
  } else if (t.is_main) {
    m << "Raise ulimit -s";
  } else {
    m << "Give it more (pthread_attr_setstacksize; for threads that ask for no size, --stack-size or ulimit -s)";
  }
  m << ", or look for a recursion without end";
  base::say(m);
  core::say_frames(at, read_link, nullptr);
}

// The kernel does what it would have done without a handler: for most, when the instruction is tried again.
void surrender(int sig, const siginfo_t& info) noexcept {
  let_kernel_act(sig);
  if (sig == SIGTRAP || sig == SIGSYS) take_default(sig, info);
}

// On the thread's own stack (or its alternate one), in the place of the kernel's frame.
void run_fault(int sig, siginfo_t* info, void* context) {
  core::hub& h = *weft_this_hub;
  auto& t = static_cast<thread&>(*h.current);
  auto& at = *static_cast<ucontext_t*>(context);
  const stack_t carriers = at.uc_stack;
  t.hooked = 1;
  block_in_kernel(carrier_mask(h));
  delivery d{*info, use_action(sig)};
  if (d.act.handles()) run_handler(t, d, at);
  at.uc_stack = carriers;
  run_pending(h, t, at);
  follow_masks(h, mask_of(at));
  t.hooked = 0;
}

}  // namespace

void arm_fault_stack(unsigned hub_index) noexcept { core::use_fault_stack(fault_stacks[hub_index]); }

void on_fault(int sig, siginfo_t* info, void* context) {
  auto& at = *static_cast<ucontext_t*>(context);
  const bool raised_here = info->si_code > 0;  // by the kernel, for what the thread did
  const std::uint64_t ip = ip_of(at);
  if (raised_here && ip >= reinterpret_cast<std::uint64_t>(weft_user_access_begin) &&
      ip < reinterpret_cast<std::uint64_t>(weft_user_access_end)) {
    set_ip(at, reinterpret_cast<std::uint64_t>(weft_user_access_fault));
    return;
  }
  core::hub* h = interrupted_hub();
  if (h == nullptr) return run_natively(sig, info, context);
  thread* t = interrupted_thread(*h);
  if (!raised_here) {
    core::fiber* to = info->si_code == SI_TKILL ? find_thread(h->kernel_tid.load(std::memory_order_relaxed)) : nullptr;
    block_in_kernel(~synchronous);
    note_arrival(*h, sig, *info, to, mask_of(at));
    if (t != nullptr) t->signals.attention.store(true, std::memory_order_relaxed);
    // Here is no place for a handler: this is the carrier's stack.
    base::raw_syscall(SYS_tgkill, base::raw_syscall(SYS_getpid), h->kernel_tid.load(std::memory_order_relaxed),
                      kick_signal);
    return;
  }
  if (t == nullptr) core::report_overflow(*h->current, place_of(*info, at));
  if (t == nullptr || t->hooked != 0) return surrender(sig, *info);
  const kernel_action act = action_of(sig);
  const bool blocked = (t->signals.mask.load(std::memory_order_relaxed) & signal_bit(sig)) != 0;
  if (!act.handles() || blocked) {  // force_sig: ignoring or blocking does not help
    report_overflow(*t, place_of(*info, at));
    return surrender(sig, *info);
  }
  constexpr std::uint64_t red_zone = 128;
  const std::uint64_t alternate = handler_stack(*t, act, sp_of(at));
  const std::uint64_t sp = alternate != 0 ? alternate : sp_of(at) - red_zone;
  mask_of(at) = ~synchronous;  // while it moves over
  if (!move_frame(at, *info, sp, run_fault)) {
    report_overflow(*t, place_of(*info, at));
    surrender(sig, *info);
  }
}

}  // namespace weft::shim
