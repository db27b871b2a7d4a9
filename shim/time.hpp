// SPDX-License-Identifier: MIT
#pragma once

#include "shim/dispatch.hpp"

namespace weft::shim {

long sys_nanosleep(call&) noexcept;
long sys_clock_nanosleep(call&) noexcept;
/// clock_gettime, clock_getres.
long sys_clock_of_thread(call&) noexcept;
long sys_sched_yield(call&) noexcept;

}  // namespace weft::shim
