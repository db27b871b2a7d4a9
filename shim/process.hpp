// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shim/dispatch.hpp"

namespace weft::shim {

/// A clone that makes a process: like fork if it copies memory, like vfork or posix_spawn's if it shares it.
/// @param stack  what the child's stack pointer starts at; 0: the parent's
long clone_process(call& c, std::uint64_t flags, std::uint64_t stack) noexcept;

long sys_fork(call&) noexcept;
long sys_vfork(call&) noexcept;
long sys_exec(call&) noexcept;
long sys_wait4(call&) noexcept;
long sys_waitid(call&) noexcept;

}  // namespace weft::shim
