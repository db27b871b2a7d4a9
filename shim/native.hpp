// SPDX-License-Identifier: MIT
#pragma once

#include "shim/arch/x86_64/frame.hpp"
#include "shim/dispatch.hpp"

namespace weft::shim {

/// A call of a thread that has no hub: one that existed before the first fiber, or a process without threads. Goes to
/// the kernel, but for futexes: its wakes must reach fibers.
long native_call(frame& f);

/// A call that Weft itself made by way of libc (libev's) from a fiber's hook or the loop, or a vfork child's: goes to
/// the kernel.
long internal_call(frame& f);

/// The call that the registers in @p f ask for.
call call_of(frame& f) noexcept;

/// The call of an outsider (outsiders.hpp): goes to the kernel.
long outsider_call(frame& f);

}  // namespace weft::shim
