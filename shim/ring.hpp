// SPDX-License-Identifier: MIT
#pragma once

#include "shim/dispatch.hpp"

namespace weft::shim {

long sys_io_uring_setup(call&) noexcept;
long sys_io_uring_enter(call&) noexcept;
/// io_getevents and io_pgetevents.
long sys_io_getevents(call&) noexcept;

}  // namespace weft::shim
