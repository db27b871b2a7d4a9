// SPDX-License-Identifier: MIT
#include "shim/blocked.hpp"

#include <errno.h>
#include <sys/ioctl.h>

#include "base/clock.hpp"
#include "shim/helper.hpp"

namespace weft::shim {

long blocked::wait(fd::direction dir) noexcept {
  if (!hold_.taken()) {
    const long error = hold_.take(fd_, generation_);
    if (error == -ESTALE) return start_over();
    if (error != 0) return error;
    const fd::kind k = slot_.what();
    if (call_.resume_due != 0) {
      due_ = call_.resume_due;
    } else if (k == fd::kind::stream || k == fd::kind::datagram) {
      const std::int64_t limit = fd::timeout_of(slot_, fd_, dir == fd::direction::write);
      if (limit > 0) due_ = base::monotonic_ns() + limit;
    }
  }
  switch (hold_.wait(dir, due_, /*interruptible=*/true)) {
    case fd::outcome::woken:
      return fd() >= 0 ? 0 : -EBADF;
    case fd::outcome::timed_out:
      return -EAGAIN;
    case fd::outcome::closed:
      return -EBADF;
    case fd::outcome::stale:
      return start_over();
    default:
      break;  // interrupted
  }
  if (due_ == core::timers::never) return restart_sys;
  // With a time limit set, a handler ends the call whatever its SA_RESTART says (signal(7); sock_intr_errno in include/net/sock.h).
  call_.resume_due = due_;
  return restart_nohand;
}

// The number was closed before the wait began: as if the call had come later, and what it then stands for counts.
long blocked::start_over() noexcept {
  if (due_ != core::timers::never) call_.resume_due = due_;
  return restart_always;
}

long blocked::offload_call() noexcept {
  call on = call_;
  on.args[0] = static_cast<unsigned long>(static_cast<unsigned>(fd()));
  hold_.rest();
  return offload(on);
}

long pass_nonblocking(call c, fd::slot& s, int fd) noexcept {
  c.args[0] = static_cast<unsigned long>(static_cast<unsigned>(fd));
  int on = 1;
  s.turn.lock();
  base::raw_syscall(SYS_ioctl, fd, FIONBIO, &on);
  const long result = pass(c);
  on = 0;
  base::raw_syscall(SYS_ioctl, fd, FIONBIO, &on);
  s.turn.unlock();
  return result;
}

}  // namespace weft::shim
