// SPDX-License-Identifier: MIT
#pragma once

#include "shim/dispatch.hpp"

namespace weft::shim {

// Waiting for several descriptors: a look with time-out 0, then a wait for all of them in the hub, then a look again.

long sys_poll(call&) noexcept;
long sys_ppoll(call&) noexcept;
long sys_select(call&) noexcept;
long sys_pselect6(call&) noexcept;
long sys_epoll_wait(call&) noexcept;
long sys_epoll_pwait(call&) noexcept;
long sys_epoll_pwait2(call&) noexcept;

}  // namespace weft::shim
