// SPDX-License-Identifier: MIT
// An epoll descriptor is one that can be waited for itself: the hub does, and the events are collected without waiting.
#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

#include "core/timers.hpp"
#include "fd/table.hpp"
#include "fd/watch.hpp"
#include "shim/poll.hpp"
#include "shim/poll_time.hpp"
#include "shim/user_memory.hpp"
#include "shim/user_time.hpp"
#include "shim/wait_mask.hpp"

namespace weft::shim {

namespace {

long collect(int fd, const call& c) noexcept {
  return base::raw_syscall(SYS_epoll_wait, fd, c.args[1], static_cast<int>(c.args[2]), 0);
}

long wait_for_events(call& c, std::int64_t due) noexcept {
  if (signal_is_due()) return restart_nohand;
  fd::hold held;
  const long error = held.take(c.fd(), c.generation);
  if (error == -ENOMEM) return error;
  c.resume_due = due;
  if (error != 0) return restart_always;
  for (;;) {
    const fd::outcome o = held.wait(fd::direction::read, due, /*interruptible=*/true);
    if (o == fd::outcome::stale) return restart_always;
    // With a handler the call ends with EINTR, whatever its SA_RESTART says; without one nobody is to notice.
    if (o == fd::outcome::interrupted) return restart_nohand;
    const long result = held.fd() < 0 ? -EBADF : collect(held.fd(), c);
    if (result != 0 || o == fd::outcome::timed_out) return result;
  }
}

// @param due  0: do not wait
long wait_masked(call& c, std::int64_t due, const void* mask, unsigned long size) noexcept {
  if (const long error = set_wait_mask(mask, size)) return error;
  if (const fd::slot* s = fd::find(c.fd())) c.generation = s->generation.load(std::memory_order_acquire);
  long result = fd::is_reserved(c.fd()) ? -EBADF : collect(c.fd(), c);
  if (result == 0 && due != 0) result = wait_for_events(c, due);
  return restore_wait_mask(mask, result);
}

std::int64_t due_of(const call& c, int timeout) noexcept {
  if (timeout == 0) return 0;
  if (c.resume_due != 0) return c.resume_due;
  return timeout < 0 ? core::timers::never : due_in(timeout / 1000, timeout % 1000 * 1'000'000L);
}

}  // namespace

long sys_epoll_wait(call& c) noexcept { return wait_masked(c, due_of(c, c.arg<int>(3)), nullptr, 0); }

long sys_epoll_pwait(call& c) noexcept {
  return wait_masked(c, due_of(c, c.arg<int>(3)), c.arg<const void*>(4), c.args[5]);
}

long sys_epoll_pwait2(call& c) noexcept {
  std::int64_t due = core::timers::never;
  if (c.args[3] != 0) {
    timespec t;
    if (const long error = copy_in_time(t, c.arg<const void*>(3))) return error;
    due = t.tv_sec == 0 && t.tv_nsec == 0 ? 0 : c.resume_due != 0 ? c.resume_due : due_in(t.tv_sec, t.tv_nsec);
  }
  return wait_masked(c, due, c.arg<const void*>(4), c.args[5]);
}

}  // namespace weft::shim
