// SPDX-License-Identifier: MIT
// Waiting for signals: sigsuspend, pause, the sigwait family.
#include "shim/signal_wait.hpp"

#include <errno.h>
#include <sys/signalfd.h>

#include "base/clock.hpp"
#include "base/memory.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "loop/loop.hpp"
#include "shim/signal_actions.hpp"
#include "shim/signal_masks.hpp"
#include "shim/signal_queue.hpp"
#include "shim/signals.hpp"
#include "shim/thread.hpp"
#include "shim/user_memory.hpp"
#include "shim/user_time.hpp"

namespace weft::shim {

namespace {

struct sigwaiter {
  sigwaiter* next;
  core::waker waiting;
};

// A hub's watch for signals that wait in the kernel for a thread in sigwait: one descriptor for all of them.
struct watch {
  loop::io io;  // first: the callback finds us by it
  int fd = -1;
  signal_set set = 0;
  sigwaiter* waiters = nullptr;
};
constinit watch watches[core::max_hubs];

// Somebody will collect, or find that another was faster; who goes on waiting starts the watch again.
void on_readable(loop::io& io) noexcept {
  auto& w = reinterpret_cast<watch&>(io);
  io.stop(weft_this_hub->events.get());
  for (sigwaiter* s = w.waiters; s != nullptr; s = s->next) core::unpark(s->waiting);
}

bool start_watch(core::hub& h, watch& w, signal_set set) noexcept {
  if (w.fd < 0 || (set & ~w.set) != 0) {
    const signal_set all = w.set | set;
    const long fd = base::raw_syscall(SYS_signalfd4, w.fd, &all, sizeof all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (base::is_error(fd)) return false;
    if (w.fd < 0) {
      w.fd = loop::move_high(static_cast<int>(fd));
      w.io.set(w.fd, loop::direction::read, on_readable);
    }
    w.set = all;
  }
  if (!w.io.active()) w.io.start(h.events.get());
  return true;
}

// Parks until a signal of `set` may wait in the kernel or is sent to the thread.
int park_for(thread& t, signal_set set, std::int64_t due) noexcept {
  core::hub& h = *t.home;
  watch& w = watches[h.index];
  sigwaiter entry{w.waiters, core::prepare_park()};
  w.waiters = &entry;
  // Where no descriptor can be had, look again now and then.
  constexpr std::int64_t without_watch = 10'000'000;
  std::int64_t until = due;
  if (!start_watch(h, w, set)) until = std::min(due, base::monotonic_ns() + without_watch);
  const int reason = core::park(entry.waiting, until, core::wait_kind::outside, &w, true);
  for (sigwaiter** at = &w.waiters; *at != nullptr; at = &(*at)->next) {
    if (*at == &entry) {
      *at = entry.next;
      break;
    }
  }
  if (w.waiters == nullptr) {
    if (w.io.active()) w.io.stop(h.events.get());
    // The next ones may wait for others: what nobody waits for must not wake anybody.
    if (w.fd >= 0) base::raw_syscall(SYS_signalfd4, w.fd, &(w.set = 0), sizeof w.set, 0);
  }
  return reason == core::timed_out && until != due ? core::woken : reason;
}

int take_from_kernel(signal_set set, siginfo_t& info) noexcept {
  constexpr timespec at_once{0, 0};
  const long sig = base::raw_syscall(SYS_rt_sigtimedwait, &set, &info, &at_once, sizeof set);
  return sig > 0 ? static_cast<int>(sig) : 0;
}

int wait_for(thread& t, signal_set set, siginfo_t& info, std::int64_t due) noexcept {
  for (;;) {
    if (const int sig = dequeue(t, set, info)) return sig;
    if (const int sig = take_from_kernel(set, info)) return sig;
    if (is_deliverable(t)) return -EINTR;
    if (due <= base::monotonic_ns()) return -EAGAIN;
    park_for(t, set, due);
  }
}

}  // namespace

void forget_signal_watches() noexcept {
  for (watch& w : watches) {
    if (w.fd >= 0) base::raw_syscall(SYS_close, w.fd);
    w.fd = -1;
    w.set = 0;
    w.waiters = nullptr;
    w.io = {};
  }
}

long sys_rt_sigtimedwait(call& c) noexcept {
  if (c.args[3] != sizeof(signal_set)) return -EINVAL;
  signal_set set;
  if (!copy_in(set, c.arg<const void*>(0))) return -EFAULT;
  set &= ~unblockable;
  std::int64_t due = core::timers::never;
  if (const auto* from = c.arg<const void*>(2); from != nullptr) {
    timespec timeout;
    if (const long error = copy_in_time(timeout, from)) return error;
    constexpr std::int64_t far = core::timers::never / 4;
    const std::int64_t now = base::monotonic_ns();
    due = timeout.tv_sec > far / 1'000'000'000 ? far : now + timeout.tv_sec * 1'000'000'000 + timeout.tv_nsec;
  }
  thread& t = self();
  t.signals.awaited.store(set, std::memory_order_seq_cst);
  siginfo_t info;
  const int sig = wait_for(t, set, info, due);
  t.signals.awaited.store(0, std::memory_order_seq_cst);
  // One that came for the wait, and just too late for it, is the process's again.
  if (t.signals.pending.load(std::memory_order_seq_cst) != 0) hand_on(t);
  if (sig > 0 && c.args[1] != 0 && !copy_out(c.arg<void*>(1), info)) return -EFAULT;
  return sig;
}

long sys_pause(call&) noexcept {
  thread& t = self();
  collect_arrivals(*t.home);
  if (!is_deliverable(t)) {
    core::park(core::prepare_park(), core::timers::never, core::wait_kind::outside, nullptr, true);
  }
  return restart_nohand;
}

long sys_rt_sigsuspend(call& c) noexcept {
  if (c.args[1] != sizeof(signal_set)) return -EINVAL;
  signal_set mask;
  if (!copy_in(mask, c.arg<const void*>(0))) return -EFAULT;
  thread& t = self();
  t.signals.saved_mask = t.signals.mask.load(std::memory_order_relaxed);
  t.signals.restore_saved_mask = true;
  change_mask(t, mask);
  collect_arrivals(*t.home);
  if (!is_deliverable(t)) {
    core::park(core::prepare_park(), core::timers::never, core::wait_kind::outside, nullptr, true);
  }
  return restart_nohand;
}

}  // namespace weft::shim
