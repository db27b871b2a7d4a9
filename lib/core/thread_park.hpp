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

int park_thread(fiber& f, waker w, std::int64_t due_ns) noexcept;
void unpark_thread(waker w, int reason) noexcept;

}  // namespace weft::core
