// SPDX-License-Identifier: MIT
#pragma once

#include "shim/signal_state.hpp"

namespace weft::shim {

/// The signal mask that ppoll and its kind have for the time of the call (kernel/signal.c, set_user_sigmask).
///
/// @param user  the program's set, or nullptr: none
/// @return 0 or -errno
long set_wait_mask(const void* user, unsigned long size) noexcept;

/// The end of such a call with @p result: the old mask is back, unless a signal is about to be delivered; that restores it
/// behind the handler.
long restore_wait_mask(const void* user, long result) noexcept;

/// Whether a signal may be deliverable at this moment, so that the call must not wait.
bool signal_is_due() noexcept;

}  // namespace weft::shim
