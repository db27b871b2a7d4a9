// SPDX-License-Identifier: MIT
#pragma once

#include <time.h>

#include <cstdint>

#include "shim/dispatch.hpp"

namespace weft::shim {

struct thread;

long sys_futex(call&) noexcept;

// Linux 5.16 and 6.7; Debian 12's headers know only the first.
inline constexpr long nr_futex_waitv = 449, nr_futex_wake = 454, nr_futex_wait = 455, nr_futex_requeue = 456;
constexpr bool futex2_waits(long nr) noexcept { return nr == nr_futex_waitv || nr == nr_futex_wait; }
constexpr bool is_futex(long nr) noexcept {
  return nr == SYS_futex || nr == nr_futex_waitv || (nr >= nr_futex_wake && nr <= nr_futex_requeue);
}
long sys_futex_waitv(call&) noexcept;
long sys_futex_wait(call&) noexcept;
/// futex_wake and futex_requeue; never waits.
long wake_by_futex2(call&) noexcept;

/// One of those calls (is_futex) by a thread without a hub: its wakes reach fibers too.
long native_futex(call&) noexcept;
/// A wait that @p how has the kernel do: what is woken meanwhile is woken there as well.
long pass_counted(call&, long (*how)(call&) noexcept) noexcept;

enum class futex_clock { relative, monotonic, realtime };
/// When a wait with this time-out ends, on the monotonic clock. @return 0, -EFAULT or -EINVAL
long read_futex_due(const timespec* user, futex_clock clock, std::int64_t& due) noexcept;

/// Wakes at most @p count waiters whose bits meet @p bits: fibers first, then what sleeps in the kernel (native threads;
/// other processes if @p shared).
/// @return how many, or -errno
long futex_wake(std::uint32_t* at, int count, std::uint32_t bits, bool shared) noexcept;

/// The robust mutexes that a dying thread holds are marked so, and a waiter of each is woken (kernel/futex/core.c,
/// exit_robust_list).
void end_robust_list(thread& dying) noexcept;

/// In a fork's child: nobody waits.
void forget_futexes() noexcept;

}  // namespace weft::shim
