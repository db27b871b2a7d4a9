// SPDX-License-Identifier: MIT
#pragma once

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>

#include "base/syscall.hpp"

namespace weft::fd {

/// poll(2) that does not wait. A signal that comes to the carrier meanwhile, the scheduler's tick for one, ends even that
/// with EINTR when nothing is ready (fs/select.c, do_poll): no concern of the program's, so it looks again.
inline long poll_now(pollfd* fds, unsigned long count) noexcept {
  long result;
  do {
    result = base::raw_syscall(SYS_poll, fds, count, 0);
  } while (result == -EINTR);
  return result;
}

}  // namespace weft::fd
