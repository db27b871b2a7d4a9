// SPDX-License-Identifier: MIT
#pragma once

#include "shim/dispatch.hpp"

namespace weft::shim {

// Reading and writing. Each tries without blocking, waits for the descriptor in the hub, and tries again.

long sys_read(call&) noexcept;
long sys_write(call&) noexcept;
long sys_readv(call&) noexcept;
long sys_writev(call&) noexcept;
long sys_preadv2(call&) noexcept;
long sys_pwritev2(call&) noexcept;

/// As long as no signal of the program's comes it gives what it was asked for, whatever the scheduler's tick does.
long sys_getrandom(call&) noexcept;

long sys_recvfrom(call&) noexcept;
long sys_recvmsg(call&) noexcept;
long sys_recvmmsg(call&) noexcept;
long sys_sendto(call&) noexcept;
long sys_sendmsg(call&) noexcept;
long sys_sendmmsg(call&) noexcept;

/// accept and accept4.
long sys_accept(call&) noexcept;
long sys_connect(call&) noexcept;

long sys_sendfile(call&) noexcept;
/// splice, tee and vmsplice.
long sys_splice(call&) noexcept;

}  // namespace weft::shim
