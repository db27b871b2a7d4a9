// SPDX-License-Identifier: MIT
// How a fiber waits for readiness.
#include <errno.h>

#include <mutex>

#include "core/scheduler.hpp"
#include "fd/table.hpp"
#include "fd/watch_parts.hpp"

namespace weft::fd {

namespace {

outcome outcome_of(int reason) noexcept {
  switch (reason) {
    case core::timed_out:
      return outcome::timed_out;
    case core::interrupted:
      return outcome::interrupted;
    case core::cancelled_wait:
      return outcome::cancelled;
    case closed_reason:
      return outcome::closed;
    case stale_reason:
      return outcome::stale;
    default:
      return outcome::woken;
  }
}

// Under the lock.
void dequeue(waiter& n) noexcept {
  if (!n.queued) return;
  n.unlink();
  n.queued = false;
}

}  // namespace

bool remove_waiter(watch& w, waiter& n) noexcept {
  const std::lock_guard guard(w.lock);
  dequeue(n);
  return !w.gone;
}

long hold::take(int fd, std::uint32_t generation) noexcept {
  slot* s = find(fd);
  if (s == nullptr) return -ENOMEM;
  long error;
  watch_ = pin_at(*s, fd, generation, error);
  return watch_ != nullptr ? 0 : error != 0 ? error : -ESTALE;
}

outcome hold::wait(direction dir, std::int64_t due_ns, bool interruptible) noexcept {
  watch& w = *watch_;
  waiter n;
  n.who = core::prepare_park();
  {
    const std::lock_guard guard(w.lock);
    if (busy_) w.busy.fetch_sub(1, std::memory_order_release);
    add_waiter_held(w, dir, n);
  }
  const int reason = core::park(n.who, due_ns, core::wait_kind::fd, &w.fd, interruptible);
  const std::lock_guard guard(w.lock);
  dequeue(n);
  w.busy.fetch_add(1, std::memory_order_relaxed);
  busy_ = true;
  // Also if the wait ended otherwise at the same moment: `fd` names nothing any more.
  return w.lost ? outcome::stale : outcome_of(reason);
}

void hold::rest() noexcept {
  if (!busy_) return;
  const std::lock_guard guard(watch_->lock);
  watch_->busy.fetch_sub(1, std::memory_order_release);
  busy_ = false;
}

void hold::release() noexcept {
  rest();
  unpin(*watch_);
}

outcome wait(watch& w, direction dir, std::int64_t due_ns, bool interruptible, bool exclusive) noexcept {
  waiter n;
  n.who = core::prepare_park();
  n.exclusive = exclusive;
  add_waiter(w, dir, n);
  const int reason = core::park(n.who, due_ns, core::wait_kind::fd, &w.fd, interruptible);
  remove_waiter(w, n);
  return outcome_of(reason);
}

outcome wait_cancellable(watch& w, direction dir, std::int64_t due_ns) noexcept {
  waiter n;
  n.who = core::prepare_park();
  add_waiter(w, dir, n);
  const int reason = core::park_cancellable(n.who, due_ns, core::wait_kind::fd, &w.fd);
  remove_waiter(w, n);
  return outcome_of(reason);
}

outcome wait_fd(int fd, direction dir, std::int64_t due_ns, bool interruptible) noexcept {
  watch* w = pin(fd);
  if (w == nullptr) return outcome::woken;
  const outcome o = wait(*w, dir, due_ns, interruptible);
  unpin(*w);
  return o;
}

}  // namespace weft::fd
