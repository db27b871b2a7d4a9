// SPDX-License-Identifier: MIT
// Waiting for asynchronous I/O of the program's own: io_uring's and the older kernel AIO's.
#include "shim/ring.hpp"

#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <time.h>

#include "core/timers.hpp"
#include "fd/wait_set.hpp"
#include "shim/helper.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

constexpr timespec no_time{0, 0};

// Whether a completion is there: 0, or -ETIME. A ring that is polled for its I/O is polled here, as natively.
long look(int ring) noexcept {
  io_uring_getevents_arg at_once{};
  at_once.ts = reinterpret_cast<std::uint64_t>(&no_time);
  return base::raw_syscall(SYS_io_uring_enter, ring, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &at_once,
                           sizeof at_once);
}

}  // namespace

// The ring's descriptor is readable once a completion is there (io_uring(7)); how many, it does not tell. So a wait for
// several is made by a helper thread, where the ring may be entered by any.
long sys_io_uring_enter(call& c) noexcept {
  const auto wanted = c.arg<unsigned>(2);
  const auto flags = c.arg<unsigned>(3);
  constexpr unsigned understood = IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP;
  if ((flags & IORING_ENTER_GETEVENTS) == 0 || wanted == 0 || (flags & ~understood) != 0 || c.args[4] != 0)
    return pass(c);
  call submit = c;
  submit.args[2] = 0;
  const long submitted = pass(submit);
  if (submitted < 0) return submitted;
  const auto interrupted = submitted > 0 ? submitted : -EINTR;
  call wait = c;
  wait.args[1] = 0;
  if (wanted > 1) {
    const long result = offload(wait);
    if (result == -EEXIST) return pass(wait) < 0 ? interrupted : submitted;
    return result < 0 ? interrupted : submitted;
  }
  long found = look(c.fd());
  if (found != -ETIME) {
    if (found == -EINVAL) found = pass(wait);  // Linux before 5.11
    return submitted > 0 || found >= 0 ? submitted : found;
  }
  fd::wait_set set;
  set.add(c.fd(), POLLIN);
  for (;;) {
    if (set.wait(core::timers::never) == fd::outcome::interrupted) return interrupted;
    found = look(c.fd());
    if (found != -ETIME) return submitted > 0 || found >= 0 ? submitted : found;
  }
}

// Nothing can be polled for these. What is there is taken; the rest is waited for in a helper thread.
long sys_io_getevents(call& c) noexcept {
  const auto least = c.arg<long>(1);
  if (least <= 0 || (c.nr == SYS_io_pgetevents && c.args[5] != 0)) return pass(c);
  call now = c;
  now.args[4] = reinterpret_cast<unsigned long>(&no_time);
  const long taken = pass(now);
  if (taken < 0 || taken >= least) return taken;
  call rest = c;
  rest.args[1] -= static_cast<unsigned long>(taken);
  rest.args[2] -= static_cast<unsigned long>(taken);
  rest.args[3] += static_cast<unsigned long>(taken) * sizeof(io_event);
  const long more = offload(rest);
  if (more >= 0) return taken + more;
  return taken > 0 ? taken : more == restart_sys ? -EINTR : more;
}

}  // namespace weft::shim
