// SPDX-License-Identifier: MIT
#pragma once

#include "shim/signal_state.hpp"

namespace weft::shim {

/// A signalfd tells of what waits in the kernel. So what is sent to a single thread, which Weft queues itself, goes there too
/// where a signalfd is for it and all threads block it: read, poll and epoll then find it as they do natively, though by any
/// thread and not by that one alone.

/// Whether some signalfd was made that tells of @p sig.
bool has_signalfd(int sig) noexcept;

/// Takes note of the signalfds that the process has: those made before the first thread were not seen.
void adopt_signalfds() noexcept;

}  // namespace weft::shim
