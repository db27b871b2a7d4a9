// SPDX-License-Identifier: MIT
#pragma once

#include "core/hub.hpp"

namespace weft::core {

/// The hubs of this process, in order of their making. Grows only; a fork's child starts again from none.
extern hub* hubs[max_hubs];
extern std::atomic<unsigned> hub_count;

/// A new hub, not yet run by anybody; nullptr when the kernel gives no memory or descriptors, or there are `max_hubs`.
hub* make_hub() noexcept;

/// Undoes the last `make_hub`, of a hub that nobody runs.
void drop_last_hub() noexcept;

/// @p h, whose thread ends, is the next one's to have: nothing is left on it.
void give_vacant_hub(hub& h) noexcept;
/// One of those; nullptr if there is none.
hub* take_vacant_hub() noexcept;

/// Of the hubs that run thread fibers, of which the calling thread's is one: that with the fewest; the own among equals.
hub& least_loaded_hub() noexcept;

/// The one of @p set with the fewest; the calling thread's own among equals.
hub& least_loaded_of(const hub_set& set) noexcept;

/// Makes the calling OS thread the one that runs @p h, and what it runs now the hub's first fiber, @p self.
void adopt_thread(hub& h, fiber& self) noexcept;

/// In a fork's child: forgets all hubs (their loops' descriptors are closed); the calling thread has none then.
void forget_after_fork() noexcept;

/// A number for a new fiber, small and never reused.
std::uint64_t next_fiber_id() noexcept;

}  // namespace weft::core
