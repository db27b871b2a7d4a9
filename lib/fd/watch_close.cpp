// SPDX-License-Identifier: MIT
// Readiness and the end of a number.
#include <mutex>

#include "base/syscall.hpp"
#include "core/scheduler.hpp"
#include "fd/table.hpp"
#include "fd/watch_parts.hpp"

namespace weft::fd {

namespace {

// Takes the number from its watch, which nobody finds any more then. @param copied  the users of the watch get a copy of the
// description, which keeps it alive
// @return the watch, pinned, or nullptr if there is none
watch* detach(int fd, bool copied) noexcept {
  slot* s = peek(fd);
  if (s == nullptr || s->has(slot::reserved)) return nullptr;
  const bool sole = is_sole(*s);
  s->flags.store(slot::closing, std::memory_order_relaxed);
  s->generation.fetch_add(1, std::memory_order_seq_cst);
  watch* w = s->attached.exchange(nullptr, std::memory_order_seq_cst);
  if (w == nullptr) return nullptr;
  core::hub* registered_at = nullptr;
  {
    const std::lock_guard guard(w->lock);
    w->gone = true;
    const bool registered = w->sides[0].placed || w->sides[1].placed;
    if (registered && (!sole || (copied && w->users > 0))) registered_at = w->home;
    ++w->users;
  }
  if (registered_at != nullptr) registered_at->events.forget(fd);
  return w;
}

// Lets the calls end that are on their way to the kernel with the number.
void await_calls(const watch& w) noexcept {
  for (int i = 0; w.busy.load(std::memory_order_acquire) > 0; ++i) {
    if (i < 100) {
      __builtin_ia32_pause();
    } else {
      base::raw_syscall(SYS_sched_yield);
    }
  }
}

}  // namespace

void before_close(int fd) noexcept {
  watch* w = detach(fd, true);
  if (w == nullptr) return;
  {
    const std::lock_guard guard(w->lock);
    if (w->users > 1) {
      const int copy = private_copy(fd);
      __atomic_store_n(&w->fd, copy < 0 ? -1 : copy, __ATOMIC_RELEASE);
      w->copied = copy >= 0;
      // On its home the watchers are stopped and, where somebody waits, armed for the copy. If there is none the waiters
      // must look for themselves.
      ask_to_arm(*w);
      if (copy < 0) wake_all(*w, core::woken);
    }
  }
  await_calls(*w);
  unpin(*w);
}

void after_close(int fd) noexcept {
  slot* s = peek(fd);
  if (s == nullptr) return;
  std::uint32_t expected = slot::closing;
  s->flags.compare_exchange_strong(expected, 0, std::memory_order_relaxed);
  s->generation.fetch_add(1, std::memory_order_seq_cst);
  lose(fd);
}

void lose(int fd) noexcept {
  slot* s = peek(fd);
  if (s == nullptr || s->attached.load(std::memory_order_seq_cst) == nullptr) return;
  if (watch* w = s->attached.exchange(nullptr, std::memory_order_seq_cst)) lose(*w);
}

void shut_waking(int fd, std::uint32_t pins) noexcept {
  watch* w = detach(fd, false);
  if (w == nullptr) return;
  {
    const std::lock_guard guard(w->lock);
    w->shut = true;
    __atomic_store_n(&w->fd, -1, __ATOMIC_RELEASE);
    if (w->users > pins + 1) ask_to_arm(*w);  // stops the watchers
    wake_all(*w, closed_reason);
  }
  await_calls(*w);
  unpin(*w);
}

long close_waking(int fd) noexcept {
  shut_waking(fd, 0);
  const long result = base::raw_syscall(SYS_close, fd);
  after_close(fd);
  return result;
}

}  // namespace weft::fd
