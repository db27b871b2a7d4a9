// SPDX-License-Identifier: MIT
#pragma once

#include <time.h>

#include "shim/dispatch.hpp"

namespace weft::shim {

long sys_nanosleep(call&) noexcept;
long sys_clock_nanosleep(call&) noexcept;
/// clock_gettime, clock_getres.
/// The kernel's number of a clock that the program names: a thread fiber's is its carrier's.
clockid_t clock_for_kernel(clockid_t asked) noexcept;

long sys_clock_of_thread(call&) noexcept;
long sys_sched_yield(call&) noexcept;

}  // namespace weft::shim
