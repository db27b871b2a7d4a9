// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>

namespace weft::shim {

struct thread;

/// The thread that the timer behind @p info, an arrival of `kick_signal`, is aimed at (SIGEV_THREAD_ID), and its signal.
/// @return nullptr if there is none (any more)
thread* timer_target(const siginfo_t& info, int& sig) noexcept;

/// In a fork's child, which inherits no timers.
void reset_timers() noexcept;

}  // namespace weft::shim
