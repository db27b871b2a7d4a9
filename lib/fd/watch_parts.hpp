// SPDX-License-Identifier: MIT
#pragma once

#include "fd/watch.hpp"

namespace weft::fd {

// What the files of a watch share, and nobody else needs.

// A wake's reasons beside core's own.
inline constexpr int closed_reason = 16;
inline constexpr int stale_reason = 17;

/// Has the home hub look at what is to be armed and what to be stopped. Under the lock.
void ask_to_arm(watch& w) noexcept;

/// Wakes all waiters with @p reason. Under the lock.
void wake_all(watch& w, int reason) noexcept;

/// The watch has left its slot, where a close was in the way of its making: nobody can say which file its users mean.
void lose(watch& w) noexcept;

/// @return the watch of the number as it was at @p generation, pinned; nullptr with @p error 0 if it was closed since
watch* pin_at(slot& s, int fd, std::uint32_t generation, long& error) noexcept;

}  // namespace weft::fd
