// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shim/dispatch.hpp"

namespace weft::shim {

struct clone_request;

/// A clone that makes a process: like fork if it copies memory, like vfork or posix_spawn's if it shares it.
long clone_process(call& c, const clone_request& request) noexcept;
/// A call that copies memory and gives the child @p stack, or none if that is 0. The child returns from here, on the stack of the caller,
/// which it has a copy of: it goes on on its own when it has seen to what it has inherited.
long fork_here(const call& c, std::uint64_t stack) noexcept;

long sys_fork(call&) noexcept;
long sys_vfork(call&) noexcept;
long sys_exec(call&) noexcept;
long sys_wait4(call&) noexcept;
long sys_waitid(call&) noexcept;

}  // namespace weft::shim
