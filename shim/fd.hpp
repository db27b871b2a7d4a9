// SPDX-License-Identifier: MIT
#pragma once

#include "shim/dispatch.hpp"

namespace weft::shim {

// The life of descriptors, and what decides whether calls on them block.

long sys_close(call&) noexcept;
long sys_close_range(call&) noexcept;
long sys_dup(call&) noexcept;
/// dup2 and dup3.
long sys_dup2(call&) noexcept;
long sys_fcntl(call&) noexcept;
long sys_ioctl(call&) noexcept;
/// pipe and pipe2.
long sys_pipe(call&) noexcept;
long sys_socket(call&) noexcept;
long sys_socketpair(call&) noexcept;
long sys_setsockopt(call&) noexcept;

/// Around every call that makes a process: descriptors are shared with it from then on.
void note_fork() noexcept;
/// In a fork's child: nothing is known of its descriptors, and those that Weft kept for itself are closed.
void forget_fds() noexcept;

}  // namespace weft::shim
