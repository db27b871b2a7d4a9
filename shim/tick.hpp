// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>

namespace weft::core {
class hub;
}

namespace weft::shim {

/// Whether @p info is the tick of @p h.
bool is_tick(const core::hub& h, const siginfo_t& info) noexcept;
/// The tick has come, in a signal handler on the hub's OS thread.
/// @return whether the fiber that runs has kept its hub since the last one
bool on_tick(core::hub& h) noexcept;
/// In a fork's child: the parent's timers are gone.
void reset_ticks() noexcept;

}  // namespace weft::shim
