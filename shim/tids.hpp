// SPDX-License-Identifier: MIT
#pragma once

#include "shim/thread.hpp"

namespace weft::shim {

/// The numbers of thread fibers: which one has which, and which ones live.
///
/// @return 0 when no number is left.
int take_tid(thread& owner) noexcept;
/// Enters @p owner under a number that the kernel gave (main's, a fork's survivor's).
void enter_kernel_tid(thread& owner, int tid) noexcept;
void free_tid(thread& owner) noexcept;
/// In a fork's child: nobody has a number.
void forget_tids() noexcept;

}  // namespace weft::shim
