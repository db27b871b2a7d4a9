// SPDX-License-Identifier: MIT
#pragma once

#include "core/hub.hpp"

namespace weft::core {

/// What a part of the library has to forget in a fork's child. One static object of each part; a spinlock needs nothing
/// (base/spinlock.hpp).
struct fork_hook {
  void (*child)() noexcept;
  fork_hook* next = nullptr;
  bool added = false;
};

/// From now on @p hook is called in the child of every fork(2) that libc makes, before the child has its fresh hub: it may
/// not wait. The first call has libc tell us of forks (pthread_atfork); a second one for a hook does nothing.
void on_fork(fork_hook& hook) noexcept;

/// Has libc tell us of forks, though no hook is added: for the hubs' own sake.
void expect_forks() noexcept;

/// In a fork's child: makes @p survivor, which called fork and of which the parent's hub goes on having one of its own, the first
/// fiber of @p h, with all that it is: number, name, timeouts.
void adopt_survivor(hub& h, fiber& survivor) noexcept;

/// The end of a fork's only fiber is the end of its process, as that of the last thread is.
[[noreturn]] void end_of_survivor() noexcept;

}  // namespace weft::core
