// SPDX-License-Identifier: MIT
#pragma once

#include "weft/deadline.hpp"

namespace weft {

/// Waits until @p fd may be read from (or, listening, accepted from) without blocking, the peer has left, or there is an
/// error, which the next call on it will tell. Other fibers run meanwhile.
///
/// Readiness is a hint: another fiber may have been faster. So the descriptor should be non-blocking, and the way is to
/// try, and to wait only on EAGAIN.
///
/// On a thread that has no hub yet, this makes one for it.
/// @return false if @p by passed first
/// @throws cancelled and what else cancels the fiber
/// @throws std::system_error when memory or, for the hub, descriptors are short
bool wait_readable(int fd, deadline by = deadline::never());
/// The same for writing and for the end of a connect.
bool wait_writable(int fd, deadline by = deadline::never());

/// As close(2), for descriptors that were waited for: who still waits goes on, and finds the descriptor bad. The number
/// must not be closed in another way, or the next file of this number would be taken for the old one.
int close(int fd) noexcept;

}  // namespace weft
