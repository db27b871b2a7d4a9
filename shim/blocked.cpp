// SPDX-License-Identifier: MIT
#include "shim/blocked.hpp"

#include <errno.h>

#include "base/clock.hpp"

namespace weft::shim {

long blocked::wait(fd::direction dir) noexcept {
  if (watch_ == nullptr) {
    watch_ = fd::pin(fd_);
    if (watch_ == nullptr) return -ENOMEM;
    const fd::kind k = slot_.what();
    if (call_.resume_due != 0) {
      due_ = call_.resume_due;
    } else if (k == fd::kind::stream || k == fd::kind::datagram) {
      const std::int64_t limit = fd::timeout_of(slot_, fd_, dir == fd::direction::write);
      if (limit > 0) due_ = base::monotonic_ns() + limit;
    }
  }
  switch (fd::wait(*watch_, dir, due_, /*interruptible=*/true)) {
    case fd::outcome::woken:
      return fd() >= 0 ? 0 : -EBADF;
    case fd::outcome::timed_out:
      return -EAGAIN;
    case fd::outcome::closed:
      return -EBADF;
    default:
      break;
  }
  if (due_ == core::timers::never) return restart_sys;
  // With a time limit set, a handler ends the call whatever its SA_RESTART says (signal(7); sock_intr_errno in include/net/sock.h).
  call_.resume_due = due_;
  return restart_nohand;
}

}  // namespace weft::shim
