// SPDX-License-Identifier: MIT
// Waiting for asynchronous I/O of the program's own: io_uring's and the older kernel AIO's.
#include "shim/ring.hpp"

#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <time.h>

#include <algorithm>

#include "base/clock.hpp"
#include "core/timers.hpp"
#include "fd/wait_set.hpp"
#include "shim/helper.hpp"
#include "shim/poll_time.hpp"
#include "shim/thread.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

constexpr timespec no_time{0, 0};

// A wait for completions of a ring.
struct ring_wait {
  int ring;  // or its index among those that the carrier has registered
  unsigned wanted;
  unsigned flags;
  std::int64_t due_ns = core::timers::never;

  bool registered() const noexcept { return (flags & IORING_ENTER_REGISTERED_RING) != 0; }
};

// Whether enough are there: 0, or -ETIME. A ring that is polled for its I/O is polled here, as natively.
long look(const ring_wait& w) noexcept {
  io_uring_getevents_arg at_once{};
  at_once.ts = reinterpret_cast<std::uint64_t>(&no_time);
  const unsigned kept = w.flags & IORING_ENTER_REGISTERED_RING;
  return base::raw_syscall(SYS_io_uring_enter, w.ring, 0, w.wanted,
                           IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | kept, &at_once, sizeof at_once);
}

// Looks until enough are there: 0 or an error of io_uring_enter, -ETIME once the time is over. Between the looks it waits for
// the ring's descriptor where that tells about a completion. Where it may not, it is looked at again after ever longer
// times: for a ring registered with the carrier, for more than one completion, and for one of the first thread, which may
// have been made before this process's calls were seen and may put off its work (IORING_SETUP_DEFER_TASKRUN).
long look_until_there(const ring_wait& w) noexcept {
  constexpr std::int64_t shortest_ns = 1'000'000, longest_ns = 64'000'000;
  const bool tells_of_one = !w.registered() && w.wanted == 1;
  const bool told = tells_of_one && !self().is_main;
  std::int64_t pause_ns = shortest_ns;
  fd::wait_set set;
  if (tells_of_one) set.add(w.ring, POLLIN);
  for (;;) {
    const long found = look(w);
    if (found != -ETIME) return found;
    const std::int64_t now_ns = base::monotonic_ns();
    if (now_ns >= w.due_ns) return -ETIME;
    const std::int64_t next_ns = told ? core::timers::never : now_ns + pause_ns;
    if (set.wait(std::min(next_ns, w.due_ns)) == fd::outcome::interrupted) return -EINTR;
    pause_ns = std::min(2 * pause_ns, longest_ns);
  }
}

// Does not wait. With nothing there the kernel says EINTR while any signal is on its way (fs/aio.c), which may be a tick of ours.
long take_events(const call& c) noexcept {
  for (;;) {
    const long taken = pass(c);
    if (taken != -EINTR) return taken;
  }
}

}  // namespace

// A ring whose completions are put off until its one thread enters it tells nobody, in Linux 6.18, that there are some: an epoll
// that has its descriptor sleeps on. And no helper may enter it. So a ring is made without that; its work is done at the
// thread's next system call instead, and wakes.
long sys_io_uring_setup(call& c) noexcept {
  constexpr unsigned put_off = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  auto* const theirs = c.arg<io_uring_params*>(1);
  io_uring_params params{};
  if (!copy_in(params, theirs) || (params.flags & put_off) != put_off || (params.flags & IORING_SETUP_SQPOLL) != 0)
    return pass(c);
  const unsigned flags = params.flags;
  params.flags = (flags & ~put_off) | IORING_SETUP_COOP_TASKRUN;
  const long ring = base::raw_syscall(SYS_io_uring_setup, c.arg<unsigned>(0), &params);
  if (ring < 0) return ring;
  params.flags = flags;
  if (copy_out(theirs, params)) return ring;
  base::raw_syscall(SYS_close, ring);
  return -EFAULT;
}

// The ring's descriptor is readable once a completion is there (io_uring(7)); how many, it does not tell. So a wait for
// several is made by a helper thread, where the ring may be entered by any.
long sys_io_uring_enter(call& c) noexcept {
  ring_wait w{c.fd(), c.arg<unsigned>(2), c.arg<unsigned>(3)};
  constexpr unsigned understood =
      IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP | IORING_ENTER_REGISTERED_RING | IORING_ENTER_EXT_ARG;
  if ((w.flags & IORING_ENTER_GETEVENTS) == 0 || w.wanted == 0 || (w.flags & ~understood) != 0) return pass(c);
  if ((w.flags & IORING_ENTER_EXT_ARG) != 0) {
    io_uring_getevents_arg more{};
    timespec for_so_long{};
    if (c.args[5] != sizeof more || !copy_in(more, c.arg<void*>(4)) || more.sigmask != 0 || more.pad != 0 ||
        (more.ts != 0 && !copy_in(for_so_long, reinterpret_cast<void*>(more.ts))))
      return pass(c);
    if (more.ts != 0) w.due_ns = due_in(for_so_long.tv_sec, for_so_long.tv_nsec);
  } else if (c.args[4] != 0) {
    return pass(c);
  }
  call submit = c;
  submit.args[2] = 0;
  const long submitted = pass(submit);
  if (submitted < 0) return submitted;
  call wait = c;
  wait.args[1] = 0;
  long found = -EEXIST;
  if (w.wanted > 1 && !w.registered()) found = offload(wait);
  if (found == -EEXIST) found = look_until_there(w);
  if (found == -EINVAL) found = pass(wait);  // Linux before 5.11
  if (found == restart_sys) found = -EINTR;
  return submitted > 0 || found >= 0 ? submitted : found;
}

// Nothing can be polled for these. What is there is taken; the rest is waited for in a helper thread.
long sys_io_getevents(call& c) noexcept {
  const auto least = c.arg<long>(1);
  if (c.nr == SYS_io_pgetevents && c.args[5] != 0) return pass(c);
  if (least <= 0) return take_events(c);
  call now = c;
  now.args[4] = reinterpret_cast<unsigned long>(&no_time);
  const long taken = take_events(now);
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
