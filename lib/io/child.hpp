// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include "weft/exit_status.hpp"

namespace weft::detail {

/// A descriptor that becomes readable when the child @p pid has ended (pidfd_open(2)), close-on-exec and out of the
/// program's way; or -errno.
[[gnu::visibility("hidden")]] int open_pidfd(pid_t pid) noexcept;

/// Takes the status of the child @p pid if it has ended. Never waits.
/// @return whether it is over; @p status is unknown if somebody else was faster or the kernel kept none
[[gnu::visibility("hidden")]] bool reap(pid_t pid, exit_status& status) noexcept;

}  // namespace weft::detail
