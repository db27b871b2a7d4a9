// SPDX-License-Identifier: MIT
#include "shim/helper.hpp"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>

#include <atomic>
#include <mutex>
#include <new>

#include "base/memory.hpp"
#include "base/spinlock.hpp"
#include "context/thread_pointer.hpp"
#include "core/scheduler.hpp"
#include "shim/signal_masks.hpp"
#include "shim/signals.hpp"

extern "C" {
long weft_kickable_call(long nr, const unsigned long args[6], const int* ended) noexcept;
long weft_start_native(unsigned long flags, void* stack, int* parent_tid, int* child_tid, void* tls,
                       void (*body)(void*)) noexcept;
extern const char weft_kickable_begin[];
extern const char weft_kickable_end[];
extern const char weft_kickable_interrupted[];
}

namespace weft::shim {

namespace {

// An OS thread's stack with what it is to do at the bottom. Small: the thread makes one call, and a signal frame may have
// to find room (11 KiB with AMX).
struct helper {
  static constexpr std::size_t size = 64 * 1024;

  helper* next = nullptr;
  int tid = 0;  // set by the kernel when the thread is made, cleared when it has gone
  int ended = 0;
  long nr = 0;
  unsigned long args[6]{};
  long result = 0;
  base::spinlock lock;
  bool done = false;
  core::waker waiting{};
};

constinit base::spinlock list_lock;
constinit helper* idle = nullptr;
// The thread-local storage of all helpers: zeros, so that `weft_this_hub` says "none". The thread pointer into it.
constinit std::atomic<char*> storage{nullptr};

char* thread_storage() noexcept {
  if (char* known = storage.load(std::memory_order_acquire)) return known;
  const std::size_t below = context::thread_pointer() - reinterpret_cast<std::uintptr_t>(&weft_this_hub);
  const std::size_t reach = (below / 4096 + 1) * 4096;
  auto* pages = static_cast<char*>(base::map_pages(reach + 4096));
  if (pages == nullptr) return nullptr;
  char* mine = pages + reach;
  *reinterpret_cast<char**>(mine) = mine;  // %fs:0, by which the x86-64 psABI finds the thread pointer
  char* other = nullptr;
  if (storage.compare_exchange_strong(other, mine, std::memory_order_acq_rel)) return mine;
  base::unmap_pages(pages, reach + 4096);
  return other;
}

helper* take() noexcept {
  {
    const std::lock_guard guard(list_lock);
    for (helper** at = &idle; *at != nullptr; at = &(*at)->next) {
      helper* h = *at;
      if (__atomic_load_n(&h->tid, __ATOMIC_ACQUIRE) != 0) continue;  // its last thread is still on its way out
      *at = h->next;
      return new (h) helper;
    }
  }
  void* pages = base::map_pages(helper::size);
  return pages == nullptr ? nullptr : new (pages) helper;
}

void give(helper& h) noexcept {
  const std::lock_guard guard(list_lock);
  h.next = idle;
  idle = &h;
}

void body(void* argument) {
  auto& h = *static_cast<helper*>(argument);
  base::raw_syscall(SYS_prctl, PR_SET_NAME, "weft-helper");  // so that whoever counts threads knows it
  h.result = weft_kickable_call(h.nr, h.args, &h.ended);
  core::waker waiting;
  {
    const std::lock_guard guard(h.lock);
    h.done = true;
    waiting = h.waiting;
  }
  core::unpark(waiting);
}

bool start(helper& h) noexcept {
  char* tls = thread_storage();
  if (tls == nullptr) return false;
  auto** top = reinterpret_cast<void**>(reinterpret_cast<char*>(&h) + helper::size) - 1;
  *top = &h;
  // The program's signals are not for this thread; it starts with them blocked.
  constexpr signal_set mask = ~signal_bit(kick_signal);
  expose_mask(*weft_this_hub, mask);
  const long made = weft_start_native(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                                          CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
                                      top, &h.tid, &h.tid, tls, body);
  hide_mask(*weft_this_hub);
  return !base::is_error(made);
}

// The wait was interrupted: ends the thread's call, and waits until that is so.
void end_call(helper& h) noexcept {
  {
    const std::lock_guard guard(h.lock);
    if (h.done) return;
    h.waiting = core::prepare_park();
    __atomic_store_n(&h.ended, 1, __ATOMIC_SEQ_CST);
    base::raw_syscall(SYS_tgkill, base::raw_syscall(SYS_getpid), __atomic_load_n(&h.tid, __ATOMIC_RELAXED),
                      kick_signal);
  }
  core::park(h.waiting, core::timers::never, core::wait_kind::helper, &h);
}

}  // namespace

long offload(call& c) noexcept {
  helper* h = take();
  if (h == nullptr) return pass(c);
  h->nr = c.nr;
  for (int i = 0; i < 6; ++i) h->args[i] = c.args[i];
  h->waiting = core::prepare_park();
  const core::waker waiting = h->waiting;
  if (!start(*h)) {
    give(*h);
    core::unpark(waiting);
    return pass(c);
  }
  if (core::park(waiting, core::timers::never, core::wait_kind::helper, h, /*interruptible=*/true) ==
      core::interrupted) {
    end_call(*h);
  }
  const long result = h->result;
  give(*h);
  return result == -EINTR ? restart_sys : result;
}

long kickable(const call& c) noexcept {
  constexpr int ended = 0;
  return weft_kickable_call(c.nr, c.args, &ended);
}

bool interrupt_helper(ucontext_t& at) noexcept {
  greg_t& pc = at.uc_mcontext.gregs[REG_RIP];
  if (pc >= reinterpret_cast<greg_t>(weft_kickable_begin) && pc < reinterpret_cast<greg_t>(weft_kickable_end)) {
    pc = reinterpret_cast<greg_t>(weft_kickable_interrupted);
  }
  const char* tls = storage.load(std::memory_order_relaxed);
  return tls != nullptr && context::thread_pointer() == reinterpret_cast<std::uintptr_t>(tls);
}

void forget_helpers() noexcept { idle = nullptr; }

}  // namespace weft::shim
