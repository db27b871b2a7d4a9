// SPDX-License-Identifier: MIT
#pragma once

#include <time.h>

#include <cstdint>

namespace weft::shim {

/// A point that far from now, for `park`; a far one is never.
std::int64_t due_in(std::int64_t seconds, std::int64_t ns) noexcept;
/// What is left until it; zero if it has passed.
timespec time_left(std::int64_t due) noexcept;
/// Writes what is left of a time-out into the program's @p user, as ppoll and pselect6 do; @p due 0 stands for no wait.
long finish_timed(long result, std::int64_t due, timespec* user) noexcept;

}  // namespace weft::shim
