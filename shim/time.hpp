// SPDX-License-Identifier: MIT
#pragma once

#include "shim/dispatch.hpp"

namespace weft::shim {

long sys_nanosleep(call&) noexcept;
long sys_clock_nanosleep(call&) noexcept;
/// clock_gettime, clock_getres.
long sys_clock_of_thread(call&) noexcept;
/// The call, whose first argument names a clock, with the kernel's number of it: a thread fiber's is its carrier's.
call with_kernels_clock(const call& c) noexcept;
long sys_sched_yield(call&) noexcept;

}  // namespace weft::shim
