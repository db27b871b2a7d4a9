// SPDX-License-Identifier: MIT
#pragma once

#include "core/hub.hpp"
#include "shim/arch/x86_64/frame.hpp"

namespace weft::shim {

/// Gives hub 0, which exists, the loop fiber's context, and makes the other hubs with an OS thread each.
///
/// Each loop runs on a stack and thread-local storage that libc's pthread_create made, so that libev's use of errno and
/// of cancellation points never touches one of the program's threads. Hub 0 belongs to the main kernel thread: its
/// hidden thread is never given to the kernel, its clone is caught and kept as a context.
/// @return false when hub 0 could not be completed. Fewer other hubs than wanted are no failure.
bool make_hub_threads(unsigned wanted) noexcept;

/// One more, later on: by a fiber. @return nullptr when there are no memory, descriptors or threads for it
core::hub* add_hub_thread() noexcept;

/// Whether the call in @p f is part of the making of a hub thread, and then its result.
bool hub_thread_call(frame& f, long& result) noexcept;

/// Whether @p tid is the kernel's number of a hub's OS thread other than the main one, or the number that libc has for
/// hub 0's hidden thread: threads that the program did not make.
bool is_hub_thread(int tid) noexcept;

}  // namespace weft::shim
