// SPDX-License-Identifier: MIT
#pragma once

#include "core/hub.hpp"

namespace weft::core {

/// Prints every fiber of every hub, where messages go: number, name, state, what it waits for, and the stacks of those
/// that are parked. Each hub prints its own as soon as it comes to it. From any thread and from signal handlers.
void dump_all() noexcept;

/// Has SIGUSR2 call `dump_all`, unless the program has a use for that signal already.
void dump_on_sigusr2() noexcept;

/// Called by a hub that is about to sleep. When all hubs are idle and no fiber waits for anything but other fibers, nothing
/// in the process can go on: says so once, with all stacks. @p h sleeps for ever then, as the program would natively.
void report_deadlock(hub& h) noexcept;

/// Of this process, but for the kernel's own workers; stops counting behind @p most.
unsigned count_os_threads(unsigned most) noexcept;

/// Set by who knows of other ends of a wait (the shim: handlers of signals, native threads): whether there are any.
extern bool (*may_be_woken_from_outside)() noexcept;

/// Called by `park` of a fiber that was resumed only to print its stack: prints it and parks again.
void show_own_stack(hub& h, fiber& f) noexcept;

}  // namespace weft::core
