// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

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

/// Whether a thread or process of the kernel's may run that has the thread pointer of a fiber and is none: one cloned to share our memory
/// without storage of its own, in a way that is left to the kernel.
extern std::atomic<bool> may_have_outsiders;

/// Before such a clone.
void expect_outsider(std::uint64_t clone_flags) noexcept;

/// Whether the caller is one: its hub, by its thread pointer, belongs to another OS thread.
bool is_outsider() noexcept;

/// Its call: goes to the kernel.
long outsider_call(frame& f);

}  // namespace weft::shim
