// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "core/fiber.hpp"

namespace weft::core {

/// Parking for OS threads that have no hub: each has a control block that only names it (`home` is null), of
/// type-stable memory like a fiber's, and sleeps in a futex. Nothing cancels such a thread.

/// The calling thread's block, made at the first need and given back when the thread ends.
/// @throws std::bad_alloc
fiber& thread_block();

/// Waits for @p w, which the calling thread opened when it had no hub. If it has got one since (by its first spawn), the fiber that
/// it is now waits, so that others of the hub run; only that can be cancelled.
int park_thread(waker w, std::int64_t due_ns, const void* object, bool cancellable) noexcept;
void unpark_thread(waker w, int reason) noexcept;

}  // namespace weft::core
