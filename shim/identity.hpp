// SPDX-License-Identifier: MIT
#pragma once

#include "shim/dispatch.hpp"

namespace weft::shim {

struct thread;

/// What main has when it becomes a fiber: its robust list and name as the kernel knows them.
void adopt_identity(thread& main) noexcept;
/// What a new thread has from its creator: name and affinity (clone(2)).
void inherit_identity(thread& child, const thread& creator) noexcept;

/// Brings `name` up to date with what was written to the thread's comm file by others.
void refresh_name(thread& t) noexcept;
/// The thread ends: nobody can write its name any more.
void forget_comm(thread& t) noexcept;

/// Writes into a thread's rseq area that nothing is registered there, so that nobody takes it as live: libc then asks
/// the kernel (sched_getcpu(3) by the vDSO).
void disown_rseq(void* area) noexcept;

long sys_gettid(call&) noexcept;
long sys_set_tid_address(call&) noexcept;
long sys_set_robust_list(call&) noexcept;
long sys_get_robust_list(call&) noexcept;
long sys_rseq(call&) noexcept;
long sys_sched_setaffinity(call&) noexcept;
long sys_sched_getaffinity(call&) noexcept;
/// Scheduling parameters, whose first argument is a thread.
long sys_of_thread(call&) noexcept;
long sys_priority(call&) noexcept;
long sys_prctl(call&) noexcept;
/// Opens as asked, but for /proc/self/task/<a fiber's tid>/...
long sys_openat(call&) noexcept;
long sys_open(call&) noexcept;

}  // namespace weft::shim
