// SPDX-License-Identifier: MIT
#include "shim/poll.hpp"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "base/clock.hpp"
#include "core/timers.hpp"
#include "fd/poll_now.hpp"
#include "fd/wait_set.hpp"
#include "shim/poll_time.hpp"
#include "shim/user_memory.hpp"
#include "shim/user_time.hpp"
#include "shim/wait_mask.hpp"

namespace weft::shim {

namespace {

// Waits and looks until a descriptor is ready or time is up. The looks go by the program's own array.
// @return poll's value, or -EINTR for a signal
long poll_until(pollfd* fds, unsigned long count, std::int64_t due) noexcept {
  if (signal_is_due()) return -EINTR;
  for (;;) {
    fd::wait_set set;
    for (unsigned long i = 0; i < count; ++i) {
      pollfd one;
      if (!copy_in(one, fds + i)) return -EFAULT;
      if (one.fd >= 0) set.add(one.fd, static_cast<unsigned short>(one.events));
    }
    fd::outcome o;
    do {
      o = set.wait(due);
      if (o == fd::outcome::interrupted) return -EINTR;
      const long result = fd::poll_now(fds, count);
      if (result != 0 || o == fd::outcome::timed_out) return result;
    } while (o != fd::outcome::stale);
  }
}

}  // namespace

std::int64_t due_in(std::int64_t seconds, std::int64_t ns) noexcept {
  std::int64_t due;
  if (__builtin_mul_overflow(seconds, std::int64_t{1'000'000'000}, &due) || __builtin_add_overflow(due, ns, &due) ||
      __builtin_add_overflow(due, base::monotonic_ns(), &due)) {
    return core::timers::never;
  }
  return due;
}

timespec time_left(std::int64_t due) noexcept {
  const std::int64_t left = due - base::monotonic_ns();
  if (left <= 0) return {0, 0};
  return {left / 1'000'000'000, left % 1'000'000'000};
}

long sys_poll(call& c) noexcept {
  auto* const fds = c.arg<pollfd*>(0);
  const auto count = c.arg<unsigned>(1);
  const auto timeout = c.arg<int>(2);
  long result = fd::poll_now(fds, count);
  if (result != 0 || timeout == 0) return result;
  std::int64_t due = c.resume_due;
  if (due == 0) due = timeout < 0 ? core::timers::never : due_in(timeout / 1000, timeout % 1000 * 1'000'000L);
  result = poll_until(fds, count, due);
  if (result != -EINTR) return result;
  c.resume_due = due;
  return restart_block;
}

// The time that is left is told to the program, unless it cannot be written; then the call cannot be made again
// (fs/select.c, poll_select_finish).
long finish_timed(long result, std::int64_t due, timespec* user) noexcept {
  if (user == nullptr || due == 0) return result;
  if (!copy_out(user, time_left(due)) && result == restart_nohand) return -EINTR;
  return result;
}

long sys_ppoll(call& c) noexcept {
  auto* const fds = c.arg<pollfd*>(0);
  const auto count = c.arg<unsigned>(1);
  auto* const timeout = c.arg<timespec*>(2);
  const void* const mask = c.arg<const void*>(3);
  std::int64_t due = core::timers::never;
  if (timeout != nullptr) {
    timespec t;
    if (const long error = copy_in_time(t, timeout)) return error;
    due = t.tv_sec == 0 && t.tv_nsec == 0 ? 0 : due_in(t.tv_sec, t.tv_nsec);
  }
  if (const long error = set_wait_mask(mask, c.args[4])) return error;
  long result = fd::poll_now(fds, count);
  if (result == 0 && due != 0) result = poll_until(fds, count, due);
  if (result == -EINTR) result = restart_nohand;
  result = restore_wait_mask(mask, result);
  return finish_timed(result, due, timeout);
}

}  // namespace weft::shim
