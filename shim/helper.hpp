// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>

#include "shim/dispatch.hpp"

namespace weft::shim {

/// Performs @p c, a call that blocks and that the kernel offers in no other form, on an OS thread of its own while the
/// fiber is parked. The thread lives for this one call. Where none can be had the call is made on the carrier.
///
/// @return the kernel's value, or restart_sys when a signal for the fiber ended the wait
long offload(call& c) noexcept;

/// A call that a carrier makes although it may block if another process is faster: `kick_signal` ends it with EINTR.
long kickable(const call& c) noexcept;

/// For the handler of `kick_signal`, whatever thread it runs on: if it interrupted a helper thread's call or a `kickable`
/// one, makes that end with EINTR. @return whether the thread is a helper, and has nothing else to look at.
bool interrupt_helper(ucontext_t& at) noexcept;

/// In a fork's child: there are no helper threads.
void forget_helpers() noexcept;

}  // namespace weft::shim
