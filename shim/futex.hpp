// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shim/dispatch.hpp"

namespace weft::shim {

struct thread;

long sys_futex(call&) noexcept;
/// The call of a thread without a hub: its wakes reach fibers too.
long native_futex(call&) noexcept;

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
