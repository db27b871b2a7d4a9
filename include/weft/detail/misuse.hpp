// SPDX-License-Identifier: MIT
#pragma once

namespace weft::detail {

/// Throws std::system_error with std::errc::operation_not_permitted: something was given back that the caller has not got.
[[noreturn]] void throw_not_owner(const char* call);
/// Throws std::system_error with std::errc::resource_deadlock_would_occur.
[[noreturn]] void throw_would_deadlock(const char* call);
/// Throws std::system_error with std::errc::value_too_large, as sem_post has it.
[[noreturn]] void throw_too_many(const char* call);

/// Whether @p object is a variable of static storage duration, and not on the heap or a stack.
bool in_static_storage(const void* object) noexcept;

/// An object of class @p what is destroyed while someone holds it or waits for it: aborts with a message and the stacks of
/// all fibers. Does nothing for an object of static storage: `exit` destroys those under fibers that never run again.
void destroyed_in_use(const char* what, const void* object) noexcept;

}  // namespace weft::detail
