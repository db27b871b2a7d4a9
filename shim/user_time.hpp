// SPDX-License-Identifier: MIT
#pragma once

#include <errno.h>
#include <time.h>

#include "shim/user_memory.hpp"

namespace weft::shim {

/// Reads a point or a span of time of the program's. @return 0; -EFAULT; -EINVAL, as for the kernel, if it is negative or its
/// nanoseconds are a second or more (include/linux/time64.h, timespec64_valid)
inline long copy_in_time(timespec& t, const void* from) noexcept {
  if (!copy_in(t, from)) return -EFAULT;
  return t.tv_sec >= 0 && t.tv_nsec >= 0 && t.tv_nsec < 1'000'000'000 ? 0 : -EINVAL;
}

}  // namespace weft::shim
