// SPDX-License-Identifier: MIT
#pragma once

namespace weft::shim {

/// libc changes a process's user and group ids by sending each of its threads a signal and waiting for all of them
/// (nptl's setxid). For the thread @p tid, a fiber or a hub's own, its handler is run under that thread's pointer, on the
/// thread's carrier, whose ids the handler's system call changes. Done when this returns; may park.
/// @return false if Weft has no thread of that number, or libc no handler
bool run_setid_handler(int tid) noexcept;

}  // namespace weft::shim
