// SPDX-License-Identifier: MIT
// The kernel knows no thread fiber: a timer that is aimed at one sends our own signal to carrier 0, and who is meant is
// kept here by the timer's number.
#include "shim/signal_timers.hpp"

#include <errno.h>

#include <atomic>
#include <mutex>
#include <new>

#include "base/memory.hpp"
#include "base/spinlock.hpp"
#include "core/runtime.hpp"
#include "shim/signal_actions.hpp"
#include "shim/signals.hpp"
#include "shim/thread.hpp"
#include "shim/time.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

// Read in signal handlers without a lock: entries are never freed, and an unused one has no timer.
struct aimed_timer {
  std::atomic<int> timer;  // its number, or unused
  std::atomic<int> tid;
  std::atomic<int> sig;
  std::atomic<aimed_timer*> next;
};
constexpr int unused = -1;

constinit std::atomic<aimed_timer*> timers{nullptr};
constinit base::spinlock lock;
constinit base::slab blocks(sizeof(aimed_timer));

aimed_timer* find(int timer) noexcept {
  aimed_timer* e = timers.load(std::memory_order_acquire);
  while (e != nullptr && e->timer.load(std::memory_order_acquire) != timer) e = e->next.load(std::memory_order_acquire);
  return e;
}

// @return an entry that nobody else takes until it has a timer
aimed_timer* take_entry() noexcept {
  if (aimed_timer* e = find(unused)) return e;
  void* storage = blocks.take();
  if (storage == nullptr) return nullptr;
  auto* e = new (storage) aimed_timer{unused, 0, 0, timers.load(std::memory_order_relaxed)};
  timers.store(e, std::memory_order_release);
  return e;
}

}  // namespace

thread* timer_target(const siginfo_t& info, int& sig) noexcept {
  const aimed_timer* e = find(info.si_timerid);
  if (e == nullptr) return nullptr;
  sig = e->sig.load(std::memory_order_relaxed);
  return find_thread(e->tid.load(std::memory_order_relaxed));
}

void reset_timers() noexcept {
  new (&lock) base::spinlock;
  for (aimed_timer* e = timers.load(std::memory_order_relaxed); e != nullptr;
       e = e->next.load(std::memory_order_relaxed)) {
    e->timer.store(unused, std::memory_order_relaxed);
  }
}

long sys_timer_create(call& c) noexcept {
  sigevent event;
  const call to = with_kernels_clock(c);
  if (c.args[1] == 0) return pass(to);
  if (!copy_in(event, c.arg<void*>(1))) return -EFAULT;
  if ((event.sigev_notify & SIGEV_THREAD_ID) == 0) return pass(to);
  const int tid = event._sigev_un._tid;
  if (find_thread(tid) == nullptr) return pass(to);
  const int sig = event.sigev_signo;
  if (event.sigev_notify != SIGEV_THREAD_ID || sig <= 0 || sig > last_signal) return -EINVAL;
  event.sigev_signo = kick_signal;
  event._sigev_un._tid = core::hubs[0]->kernel_tid.load(std::memory_order_relaxed);
  const std::lock_guard guard(lock);
  aimed_timer* entry = take_entry();
  if (entry == nullptr) return -EAGAIN;
  int timer = 0;
  const long result = base::raw_syscall(SYS_timer_create, to.args[0], &event, &timer);
  if (base::is_error(result)) return result;
  if (!copy_out(c.arg<void*>(2), timer)) {
    base::raw_syscall(SYS_timer_delete, timer);
    return -EFAULT;
  }
  entry->tid.store(tid, std::memory_order_relaxed);
  entry->sig.store(sig, std::memory_order_relaxed);
  entry->timer.store(timer, std::memory_order_release);
  return result;
}

long sys_timer_delete(call& c) noexcept {
  const std::lock_guard guard(lock);
  const long result = pass(c);
  aimed_timer* e = result == 0 ? find(static_cast<int>(c.args[0])) : nullptr;
  if (e != nullptr) e->timer.store(unused, std::memory_order_relaxed);
  return result;
}

}  // namespace weft::shim
