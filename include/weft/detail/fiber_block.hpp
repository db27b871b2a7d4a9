// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>

#include "weft/deadline.hpp"
#include "weft/detail/subscription.hpp"
#include "weft/fiber_attributes.hpp"

/// What the handles of fibers stand on: the control block, which lives until the fiber has ended and nobody refers to it.
namespace weft::detail {

/// A control block of a fiber of hub @p on (nullptr: where the scheduler likes), with room for a body of @p size bytes
/// aligned to @p align, which @p run will be called with, on the fiber. Throws std::bad_alloc.
core::fiber* allocate_fiber(std::size_t size, std::size_t align, void** body, void (*run)(void*) noexcept,
                            core::hub* on = nullptr);
/// Gives a block back that was never launched, and whose body is destroyed already. From any thread.
void discard_fiber(core::fiber* f) noexcept;

/// Readies it; the scheduler and the caller each have a reference then. From any thread.
/// @throws std::system_error  a thread fiber that cannot be made; the block and its body are gone then
void launch_fiber(core::fiber* f, const fiber_attributes& attributes);
/// The same as a light fiber in any case.
void launch_light(core::fiber* f, const fiber_attributes& attributes) noexcept;
void retain_fiber(core::fiber* f) noexcept;
void release_fiber(core::fiber* f) noexcept;

/// Has @p settle called with the body once the fiber has ended and all handles are gone: destroys its result. Never called by
/// the scheduler itself, but on the fiber or by who lets go of the last handle.
void settle_with(core::fiber* f, void (*settle)(void*) noexcept) noexcept;
/// Has @p on_kill called with the body when somebody asks for the fiber's end.
void notify_of_kill(core::fiber* f, void (*on_kill)(void*) noexcept) noexcept;
void* body_of(const core::fiber* f) noexcept;

/// For the body: whether the fiber was killed before it began; the failure of a kill that came with one is noted then.
bool killed_before_start(core::fiber* f) noexcept;
/// For the body: how it ended, if not well.
void end_cancelled(core::fiber* f) noexcept;
void end_failed(core::fiber* f, std::exception_ptr failure) noexcept;

bool join_fiber(core::fiber* f, deadline by);
void kill_fiber(core::fiber* f, std::exception_ptr with) noexcept;
bool fiber_done(const core::fiber* f) noexcept;
bool fiber_successful(const core::fiber* f) noexcept;
bool fiber_cancelled(const core::fiber* f) noexcept;
/// The failure of a fiber that has ended; counts as retrieved.
std::exception_ptr fiber_failure(core::fiber* f) noexcept;
std::uint64_t fiber_id(const core::fiber* f) noexcept;
const char* fiber_name(const core::fiber* f) noexcept;

void subscribe_to_end(core::fiber* f, subscription& s) noexcept;
void unsubscribe_from_end(core::fiber* f, subscription& s) noexcept;

}  // namespace weft::detail
