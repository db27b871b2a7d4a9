// SPDX-License-Identifier: MIT
#include "shim/time.hpp"

#include <errno.h>
#include <time.h>

#include "base/clock.hpp"
#include "base/syscall.hpp"
#include "core/scheduler.hpp"
#include "shim/helper.hpp"
#include "shim/thread.hpp"
#include "shim/user_time.hpp"

namespace weft::shim {

namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t never = core::timers::never;

std::int64_t nanoseconds(const timespec& t) noexcept {
  std::int64_t ns;
  if (__builtin_mul_overflow(t.tv_sec, second, &ns) || __builtin_add_overflow(ns, t.tv_nsec, &ns)) return never;
  return ns;
}

// A point that far from now on the monotonic clock.
std::int64_t from_now(std::int64_t ns) noexcept {
  std::int64_t due;
  return __builtin_add_overflow(base::monotonic_ns(), ns, &due) ? never : due;
}

int sleep_until(std::int64_t due) noexcept {
  return core::park(core::prepare_park(), due, core::wait_kind::sleep, nullptr, /*interruptible=*/true);
}

// A relative sleep, told the remaining time through @p remaining when a signal ends it.
long sleep_for(call& c, const timespec& wanted, timespec* remaining) noexcept {
  if (c.resume_due == 0) {
    const std::int64_t ns = nanoseconds(wanted);
    if (ns == 0) {
      core::yield_and_poll();
      return 0;
    }
    c.resume_due = from_now(ns);
  }
  if (sleep_until(c.resume_due) != core::interrupted) return 0;
  const std::int64_t left = c.resume_due - base::monotonic_ns();
  // Over by now (kernel/time/hrtimer.c, nanosleep_copyout and hrtimer_nanosleep).
  if (left <= 0) return 0;
  if (remaining != nullptr && !copy_out(remaining, timespec{left / second, left % second})) return -EFAULT;
  return restart_block;
}

// The clock may be set while a fiber sleeps to a point on it: such sleeps look again this often.
constexpr std::int64_t realtime_piece = second;

long sleep_to(clockid_t clock, const timespec& point) noexcept {
  const std::int64_t until = nanoseconds(point);
  const bool can_jump = clock == CLOCK_REALTIME || clock == CLOCK_TAI;
  for (;;) {
    timespec now;
    base::raw_syscall(SYS_clock_gettime, clock, &now);
    const std::int64_t left = until - nanoseconds(now);
    if (left <= 0) return 0;
    const std::int64_t piece = can_jump && left > realtime_piece ? realtime_piece : left;
    if (sleep_until(from_now(piece)) == core::interrupted) return restart_nohand;
  }
}

// The clock of one thread has the thread's number in it (include/linux/posix-timers_types.h): a fiber's is that of its carrier,
// which the fibers of a hub share, as CLOCK_THREAD_CPUTIME_ID is.
struct thread_clock {
  clockid_t clock;             // as the kernel is to be asked
  const thread* of = nullptr;  // nullptr: none of a fiber

  explicit thread_clock(clockid_t asked) noexcept : clock(asked) {
    constexpr int per_thread = 4, of_descriptor = 3;
    if (asked >= 0 || (asked & per_thread) == 0 || (asked & 3) == of_descriptor) return;
    of = find_thread(~(asked >> 3));
    if (of == nullptr) return;
    const auto tid = static_cast<unsigned>(of->home->kernel_tid.load(std::memory_order_relaxed));
    clock = static_cast<clockid_t>(~tid << 3 | (static_cast<unsigned>(asked) & 7));
  }
};

}  // namespace

call with_kernels_clock(const call& c) noexcept {
  call to = c;
  to.args[0] = static_cast<unsigned long>(static_cast<long>(thread_clock(c.arg<clockid_t>(0)).clock));
  return to;
}

long sys_clock_of_thread(call& c) noexcept { return pass(with_kernels_clock(c)); }

long sys_nanosleep(call& c) noexcept {
  timespec wanted;
  if (const long error = copy_in_time(wanted, c.arg<const void*>(0))) return error;
  return sleep_for(c, wanted, c.arg<timespec*>(1));
}

long sys_clock_nanosleep(call& c) noexcept {
  const auto clock = c.arg<clockid_t>(0);
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
      break;
    case CLOCK_PROCESS_CPUTIME_ID:
      return offload(c);
    default: {
      // Alarms that wake the machine, and numbers that are no clock.
      if (clock >= 0) return pass(c);
      const thread_clock asked(clock);
      if (asked.of == &self()) return -EINVAL;  // it would stand still (clock_nanosleep(2))
      call to = c;
      to.args[0] = static_cast<unsigned long>(static_cast<long>(asked.clock));
      return offload(to);
    }
  }
  timespec wanted;
  if (const long error = copy_in_time(wanted, c.arg<const void*>(2))) return error;
  if ((c.args[1] & TIMER_ABSTIME) != 0) return sleep_to(clock, wanted);
  return sleep_for(c, wanted, c.arg<timespec*>(3));
}

long sys_sched_yield(call&) noexcept {
  core::yield_and_poll();
  // The processor itself, too: what the caller spins for may be the turn of another hub, or of another process.
  return base::raw_syscall(SYS_sched_yield);
}

}  // namespace weft::shim
