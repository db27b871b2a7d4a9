// SPDX-License-Identifier: MIT
#pragma once

#include "shim/dispatch.hpp"

namespace weft::shim {

/// open, openat, openat2 and creat as asked; the opening of a FIFO that waits for its other end waits in a helper thread.
long open_file(call& c) noexcept;
long sys_creat(call&) noexcept;
long sys_openat2(call&) noexcept;

long sys_flock(call&) noexcept;
/// msgsnd and msgrcv.
long sys_msg(call&) noexcept;
/// semop and semtimedop.
long sys_semop(call&) noexcept;
/// mq_timedsend and mq_timedreceive.
long sys_mq(call&) noexcept;

}  // namespace weft::shim
