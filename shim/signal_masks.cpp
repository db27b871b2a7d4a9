// SPDX-License-Identifier: MIT
// Carrier 0 takes the signals of the process for all threads, so it blocks what all of them block. Threads change their
// masks far more often than that intersection changes: a few distinct masks, counted, tell when it does.
#include "shim/signal_masks.hpp"

#include <mutex>
#include <new>

#include "base/spinlock.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "shim/fault.hpp"
#include "shim/signal_actions.hpp"
#include "shim/signal_queue.hpp"
#include "shim/signals.hpp"
#include "shim/thread.hpp"

namespace weft::shim {

namespace {

struct mask_class {
  signal_set mask;
  unsigned threads;
};

// More distinct masks than this at one time are counted as masks that block nothing.
constexpr unsigned class_limit = 128;

constinit base::spinlock lock;
constinit mask_class classes[class_limit] = {};
constinit unsigned classes_used = 0;
constinit unsigned uncounted = 0;
constinit std::atomic<signal_set> blocked_by_all{0};
constinit std::atomic<signal_set> kernel_mask{0};  // carrier 0's; changes on its OS thread alone
constinit std::atomic<bool> exposed[core::max_hubs];
constinit std::atomic<signal_set> light_fibers_block[core::max_hubs];  // each changes on its hub's OS thread alone

struct mask_request {
  core::waker waiting;
  mask_request* next;
};
constinit std::atomic<mask_request*> requests{nullptr};

// What libc blocks around a few instructions of its own (internal-signals.h, sigall_set); programs cannot say it, since
// libc takes its two signals out of their sets.
constexpr signal_set everything = ~unblockable;

void recount() noexcept {
  signal_set common = uncounted == 0 ? ~signal_set{0} : 0;
  bool any = uncounted != 0;
  for (unsigned i = 0; i < classes_used; ++i) {
    if (classes[i].threads == 0) continue;
    common &= classes[i].mask;
    any = true;
  }
  blocked_by_all.store(any ? common : 0, std::memory_order_seq_cst);
}

// @return whether the intersection may have changed
bool leave_class(signal_set mask) noexcept {
  for (unsigned i = 0; i < classes_used; ++i) {
    if (classes[i].mask != mask || classes[i].threads == 0) continue;
    return --classes[i].threads == 0;
  }
  return --uncounted == 0;
}

bool enter_class(signal_set mask) noexcept {
  mask_class* room = nullptr;
  for (unsigned i = 0; i < classes_used; ++i) {
    if (classes[i].threads == 0) {
      if (room == nullptr) room = &classes[i];
    } else if (classes[i].mask == mask) {
      ++classes[i].threads;
      return false;
    }
  }
  if (room == nullptr && classes_used < class_limit) room = &classes[classes_used++];
  if (room == nullptr) return uncounted++ == 0;
  *room = {mask, 1};
  return true;
}

void kick(const core::hub& h) noexcept {
  base::raw_syscall(SYS_tgkill, base::raw_syscall(SYS_getpid), h.kernel_tid.load(std::memory_order_relaxed),
                    kick_signal);
}

void apply_here() noexcept {
  if (exposed[0].load(std::memory_order_relaxed)) return;
  signal_set wanted;
  do {
    wanted = blocked_by_all.load(std::memory_order_seq_cst);
    block_in_kernel((wanted & ~never_blocked) | light_fibers_block[0].load(std::memory_order_relaxed));
    kernel_mask.store(wanted, std::memory_order_seq_cst);
  } while (wanted != blocked_by_all.load(std::memory_order_seq_cst));
}

// Carrier 0 is another thread: it is asked, and has done it when this returns.
void await_carrier(core::hub& carrier) noexcept {
  mask_request request{core::prepare_park(), requests.load(std::memory_order_relaxed)};
  while (!requests.compare_exchange_weak(request.next, &request, std::memory_order_seq_cst)) {
  }
  kick(carrier);
  core::park(request.waiting, core::timers::never, core::wait_kind::object, &requests);
}

// A signal that was held back for everybody and that `t` takes now must have reached it before its call returns
// (sigprocmask(2)); carrier 0's own handler would be too late.
void collect_held(thread& t, signal_set held) noexcept {
  constexpr timespec at_once{0, 0};
  siginfo_t info;
  while (base::raw_syscall(SYS_rt_sigtimedwait, &held, &info, &at_once, sizeof held) > 0) {
    enqueue(t, info.si_signo, info, true);
  }
}

void settle(thread* t, bool lazily, bool may_wait) noexcept {
  const signal_set wanted = blocked_by_all.load(std::memory_order_seq_cst);
  const signal_set present = kernel_mask.load(std::memory_order_seq_cst);
  const signal_set held = present & ~wanted & ~never_blocked;
  // A caught signal that comes too early is held back by its handler.
  const signal_set uncaught = lazily ? 0 : wanted & ~present & ~caught_signals() & ~never_blocked;
  if ((held | uncaught) == 0) return;
  core::hub* carrier = core::hubs[0];
  if (carrier == nullptr) return;
  if (carrier == weft_this_hub) {
    apply_here();
    return;
  }
  if (t != nullptr && held != 0) collect_held(*t, held & ~t->signals.mask.load(std::memory_order_relaxed));
  if (uncaught != 0 && may_wait) {
    await_carrier(*carrier);
  } else {
    kick(*carrier);
  }
}

}  // namespace

signal_set block_in_kernel(signal_set mask) noexcept {
  signal_set before = 0;
  base::raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &before, sizeof mask);
  return before;
}

void change_mask(thread& t, signal_set to) noexcept {
  signal_state& s = t.signals;
  to &= ~unblockable;
  const signal_set from = s.mask.load(std::memory_order_relaxed);
  if (from == to) return;
  bool changed;
  {
    const std::lock_guard guard(lock);
    changed = leave_class(from);
    changed = enter_class(to) || changed;
    if (changed) recount();
  }
  s.mask.store(to, std::memory_order_seq_cst);
  const signal_set pending = s.pending.load(std::memory_order_seq_cst);
  if ((pending & to & ~from) != 0) hand_on(t);
  if (changed) settle(&t, to == everything, true);
  if ((s.pending.load(std::memory_order_relaxed) & ~to) != 0) s.attention.store(true, std::memory_order_relaxed);
}

void count_mask(thread& t) noexcept {
  const std::lock_guard guard(lock);
  if (enter_class(t.signals.mask.load(std::memory_order_relaxed))) recount();
}

void uncount_mask(thread& t) noexcept {
  bool changed;
  {
    const std::lock_guard guard(lock);
    changed = leave_class(t.signals.mask.load(std::memory_order_relaxed));
    if (changed) recount();
  }
  if (changed) settle(nullptr, false, false);
}

signal_set carrier_mask(const core::hub& h) noexcept {
  const signal_set own = h.index == 0 ? kernel_mask.load(std::memory_order_relaxed) & ~never_blocked : ~never_blocked;
  return own | light_fibers_block[h.index].load(std::memory_order_relaxed);
}

signal_set light_mask(const core::hub& h) noexcept {
  return blocked_by_all.load(std::memory_order_seq_cst) | light_fibers_block[h.index].load(std::memory_order_relaxed);
}

void change_light_mask(core::hub& h, signal_set to) noexcept {
  constexpr signal_set not_theirs = unblockable | synchronous | signal_bit(kick_signal);
  light_fibers_block[h.index].store(to & ~blocked_by_all.load(std::memory_order_seq_cst) & ~not_theirs,
                                    std::memory_order_relaxed);
  block_in_kernel(carrier_mask(h));
}

void settle_kernel_mask() noexcept { settle(nullptr, false, true); }

void follow_masks(core::hub& h, signal_set& saved) noexcept {
  if (exposed[h.index].load(std::memory_order_relaxed)) return;
  if (h.index == 0) {
    signal_set wanted;
    do {
      wanted = blocked_by_all.load(std::memory_order_seq_cst);
      kernel_mask.store(wanted, std::memory_order_seq_cst);
    } while (wanted != blocked_by_all.load(std::memory_order_seq_cst));
    mask_request* r = requests.exchange(nullptr, std::memory_order_seq_cst);
    while (r != nullptr) {
      mask_request* next = r->next;  // r is on the stack of who waits for it
      core::unpark(r->waiting);
      r = next;
    }
  }
  saved = carrier_mask(h);
}

bool held_by_kernel(int sig) noexcept {
  return (blocked_by_all.load(std::memory_order_seq_cst) & ~never_blocked & signal_bit(sig)) != 0;
}

void expose_mask(core::hub& h, signal_set mask) noexcept {
  exposed[h.index].store(true, std::memory_order_relaxed);
  block_in_kernel(mask);
}

void hide_mask(core::hub& h) noexcept {
  // As in a handler: with everything blocked, so that no handler comes in between.
  block_in_kernel(~signal_set{0});
  exposed[h.index].store(false, std::memory_order_relaxed);
  signal_set mask = 0;
  follow_masks(h, mask);
  block_in_kernel(mask);
}

void set_carrier_mask(unsigned index) noexcept {
  if (index == 0) {
    apply_here();
  } else {
    arm_fault_stack(index);
    block_in_kernel(~never_blocked);
  }
}

void reset_masks() noexcept {
  new (&lock) base::spinlock;
  for (mask_class& c : classes) c = {0, 0};
  classes_used = uncounted = 0;
  blocked_by_all.store(0, std::memory_order_relaxed);
  kernel_mask.store(0, std::memory_order_relaxed);
  requests.store(nullptr, std::memory_order_relaxed);
  for (auto& e : exposed) e.store(false, std::memory_order_relaxed);
  for (auto& blocked : light_fibers_block) blocked.store(0, std::memory_order_relaxed);
}

void assume_kernel_mask(signal_set mask) noexcept { kernel_mask.store(mask, std::memory_order_relaxed); }

}  // namespace weft::shim
