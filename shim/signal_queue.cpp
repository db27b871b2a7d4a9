// SPDX-License-Identifier: MIT
#include "shim/signal_queue.hpp"

#include <errno.h>

#include <new>

#include "base/memory.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "shim/signal_actions.hpp"
#include "shim/signal_masks.hpp"
#include "shim/signals.hpp"
#include "shim/thread.hpp"

namespace weft::shim {

namespace {

constinit base::slab blocks(sizeof(queued_signal));

// What the kernel brought while Weft could not look at it: written by the handler, which nothing interrupts, and read by
// the same OS thread outside it.
struct arrival {
  siginfo_t info;
  core::fiber* to;
};
struct arrivals {
  static constexpr unsigned room = 64;
  arrival ring[room] = {};
  std::atomic<unsigned> written{0};
  std::atomic<unsigned> read{0};
  std::atomic<bool> posted{false};
  std::atomic<bool> overflowed{false};
  core::message note;
};
constinit arrivals arrived[core::max_hubs];

void run_note(core::message&, core::hub& h) noexcept {
  arrived[h.index].posted.store(false, std::memory_order_seq_cst);
  collect_arrivals(h);
}

// With the lock held.
void append(signal_state& s, queued_signal* node) noexcept {
  queued_signal** at = &s.queue;
  while (*at != nullptr) at = &(*at)->next;
  node->next = nullptr;
  *at = node;
}

// With the lock held: the bits that the queue stands for.
void refresh_pending(signal_state& s, signal_set unqueued) noexcept {
  for (queued_signal* q = s.queue; q != nullptr; q = q->next) unqueued |= signal_bit(q->info.si_signo);
  s.pending.store(unqueued, std::memory_order_seq_cst);
}

bool takes(const thread& t, int sig) noexcept {
  const signal_state& s = t.signals;
  return s.alive && ((s.mask.load(std::memory_order_relaxed) & signal_bit(sig)) == 0 ||
                     (s.awaited.load(std::memory_order_relaxed) & signal_bit(sig)) != 0);
}

struct search {
  int sig;
  core::fiber* preferred;
  thread* found;
  thread* any;
};

void consider(thread& t, void* context) noexcept {
  auto& s = *static_cast<search*>(context);
  if (!t.signals.alive) return;
  if (s.any == nullptr) s.any = &t;
  if (!takes(t, s.sig)) return;
  if (s.found == nullptr || (s.found->is_main ? false : t.is_main || &t == s.preferred)) s.found = &t;
}

core::fiber* running_here() noexcept { return weft_this_hub == nullptr ? nullptr : weft_this_hub->current; }

void give_to_kernel(int sig, const siginfo_t& info) noexcept {
  siginfo_t copy = info;
  copy.si_signo = sig;
  const long pid = base::raw_syscall(SYS_getpid);
  const long error = base::raw_syscall(SYS_rt_sigqueueinfo, pid, sig, &copy);
  // Only main's thread may say that it comes from kill or tkill (kernel/signal.c, do_rt_sigqueueinfo).
  if (error == -EPERM) base::raw_syscall(SYS_kill, pid, sig);
}

}  // namespace

bool enqueue(thread& t, int sig, const siginfo_t& info, bool to_process) noexcept {
  signal_state& s = t.signals;
  const bool ignored = is_ignored(sig);
  auto* node = static_cast<queued_signal*>(blocks.take());
  bool alive, used = false;
  {
    const signals_guard guard;
    alive = s.alive;
    const signal_set bit = signal_bit(sig);
    const bool wanted =
        !ignored || ((s.mask.load(std::memory_order_relaxed) | s.awaited.load(std::memory_order_relaxed)) & bit) != 0;
    const signal_set pending = s.pending.load(std::memory_order_relaxed);
    // __send_signal_locked, legacy_queue
    if (alive && wanted && (sig >= 32 || (pending & bit) == 0)) {
      if (node != nullptr) {
        node->info = info;
        node->info.si_signo = sig;
        node->to_process = to_process;
        append(s, node);
        used = true;
      }
      s.pending.store(pending | bit, std::memory_order_seq_cst);
    }
  }
  if (!used && node != nullptr) blocks.give(node);
  return alive;
}

int dequeue(thread& t, signal_set of, siginfo_t& info) noexcept {
  signal_state& s = t.signals;
  if ((s.pending.load(std::memory_order_relaxed) & of) == 0) return 0;
  queued_signal* taken = nullptr;
  int sig;
  {
    const signals_guard guard;
    signal_set ready = s.pending.load(std::memory_order_relaxed) & of;
    if (ready == 0) return 0;
    if ((ready & synchronous) != 0) ready &= synchronous;
    sig = __builtin_ctzll(ready) + 1;
    for (queued_signal** at = &s.queue; *at != nullptr; at = &(*at)->next) {
      if ((*at)->info.si_signo != sig) continue;
      taken = *at;
      *at = taken->next;
      break;
    }
    refresh_pending(s, s.pending.load(std::memory_order_relaxed) & ~signal_bit(sig));
  }
  if (taken != nullptr) {
    info = taken->info;
    blocks.give(taken);
  } else {
    // There was no memory for what it said (collect_signal does the same).
    info = {};
    info.si_signo = sig;
    info.si_code = SI_USER;
  }
  return sig;
}

void hand_on(thread& t) noexcept {
  signal_state& s = t.signals;
  for (;;) {
    queued_signal* taken = nullptr;
    {
      const signals_guard guard;
      const signal_set blocked = s.alive ? s.mask.load(std::memory_order_relaxed) : ~signal_set{0};
      for (queued_signal** at = &s.queue; *at != nullptr; at = &(*at)->next) {
        if (!(*at)->to_process || (blocked & signal_bit((*at)->info.si_signo)) == 0) continue;
        taken = *at;
        *at = taken->next;
        refresh_pending(s, 0);
        break;
      }
    }
    if (taken == nullptr) return;
    send_to_process(taken->info.si_signo, taken->info);
    blocks.give(taken);
  }
}

void drop_everywhere(int sig) noexcept {
  for_each_thread(
      [](thread& t, void* context) noexcept {
        const int unwanted = *static_cast<int*>(context);
        if ((t.signals.pending.load(std::memory_order_relaxed) & signal_bit(unwanted)) == 0) return;
        siginfo_t info;
        while (dequeue(t, signal_bit(unwanted), info) != 0) {
        }
      },
      &sig);
}

bool is_deliverable(const thread& t) noexcept {
  const signal_state& s = t.signals;
  return (s.pending.load(std::memory_order_relaxed) & ~s.mask.load(std::memory_order_relaxed)) != 0;
}

void alert(thread& t) noexcept {
  t.signals.attention.store(true, std::memory_order_seq_cst);
  core::interrupt(t);
  if (t.home != weft_this_hub) {
    // It may be running code that never calls us.
    base::raw_syscall(SYS_tgkill, base::raw_syscall(SYS_getpid), t.home->kernel_tid.load(std::memory_order_relaxed),
                      kick_signal);
  }
}

void raise_for(thread& target, int sig, const siginfo_t& info) noexcept {
  const signal_state& s = target.signals;
  const bool blocked = (s.mask.load(std::memory_order_seq_cst) & signal_bit(sig)) != 0;
  const bool awaited = (s.awaited.load(std::memory_order_seq_cst) & signal_bit(sig)) != 0;
  if (!blocked && !awaited && action_of(sig).handler == SIG_DFL && default_of(sig) != default_effect::ignore) {
    take_default(sig, info);
    return;
  }
  if (!enqueue(target, sig, info, false)) return;
  if (!blocked || awaited || is_deliverable(target)) alert(target);
}

bool leave_to_kernel(int sig, const siginfo_t& info) noexcept {
  search s{sig, nullptr, nullptr, nullptr};
  for_each_thread(consider, &s);
  if (s.found != nullptr || !held_by_kernel(sig)) return false;
  if (weft_this_hub == core::hubs[0]) set_carrier_mask(0);
  give_to_kernel(sig, info);
  return true;
}

void send_to_process(int sig, const siginfo_t& info) noexcept {
  // Whoever is found may block it or end the next moment.
  for (int tries = 0; tries < 8; ++tries) {
    search s{sig, running_here(), nullptr, nullptr};
    for_each_thread(consider, &s);
    if (s.found == nullptr) {
      if (!held_by_kernel(sig) && s.any != nullptr) {
        // One that is never blocked in the kernel waits where it is found by sigpending.
        enqueue(*s.any, sig, info, true);
        return;
      }
      if (weft_this_hub == core::hubs[0]) set_carrier_mask(0);
      give_to_kernel(sig, info);
      return;
    }
    if (!enqueue(*s.found, sig, info, true)) continue;
    if (!takes(*s.found, sig)) {
      hand_on(*s.found);
      return;
    }
    alert(*s.found);
    return;
  }
}

void note_arrival(core::hub& h, int sig, const siginfo_t& info, core::fiber* to, signal_set& saved) noexcept {
  arrivals& a = arrived[h.index];
  const unsigned at = a.written.load(std::memory_order_relaxed);
  if (at - a.read.load(std::memory_order_acquire) < arrivals::room) {
    arrival& slot = a.ring[at % arrivals::room];
    slot.info = info;
    slot.info.si_signo = sig;
    slot.to = to;
    a.written.store(at + 1, std::memory_order_release);
  } else {
    a.overflowed.store(true, std::memory_order_relaxed);
    saved |= signal_bit(sig) & ~never_blocked;
    give_to_kernel(sig, info);
  }
  if (!a.posted.exchange(true, std::memory_order_seq_cst)) {
    a.note.run = run_note;
    h.post(a.note);
  }
}

void collect_arrivals(core::hub& h) noexcept {
  arrivals& a = arrived[h.index];
  for (;;) {
    const unsigned at = a.read.load(std::memory_order_relaxed);
    if (at == a.written.load(std::memory_order_acquire)) break;
    const arrival next = a.ring[at % arrivals::room];
    a.read.store(at + 1, std::memory_order_release);
    const int sig = next.info.si_signo;
    auto* to = static_cast<thread*>(next.to);
    if (to != nullptr && to->signals.alive) {
      raise_for(*to, sig, next.info);
    } else {
      send_to_process(sig, next.info);
    }
  }
  if (a.overflowed.load(std::memory_order_relaxed)) {
    a.overflowed.store(false, std::memory_order_relaxed);
    set_carrier_mask(h.index);
  }
}

void start_queue(thread& t) noexcept {
  const signals_guard guard;
  t.signals.queue = nullptr;
  t.signals.pending.store(0, std::memory_order_relaxed);
  t.signals.awaited.store(0, std::memory_order_relaxed);
  t.signals.attention.store(false, std::memory_order_relaxed);
  t.signals.restore_saved_mask = false;
  t.signals.alternate = {nullptr, SS_DISABLE, 0};
  t.signals.alive = true;
}

void end_queue(thread& t) noexcept {
  {
    const signals_guard guard;
    t.signals.alive = false;
  }
  if (t.signals.pending.load(std::memory_order_relaxed) == 0) return;
  hand_on(t);
  siginfo_t dropped;
  while (dequeue(t, ~signal_set{0}, dropped) != 0) {
  }
}

void reset_queues() noexcept {
  new (&blocks) base::slab(sizeof(queued_signal));
  for (arrivals& a : arrived) {
    a.read.store(a.written.load(std::memory_order_relaxed), std::memory_order_relaxed);
    a.posted.store(false, std::memory_order_relaxed);
  }
}

}  // namespace weft::shim
