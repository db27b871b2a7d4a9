// SPDX-License-Identifier: MIT
#include "weft/io.hpp"

#include <poll.h>

#include <cerrno>
#include <system_error>

#include "base/syscall.hpp"
#include "core/local_hub.hpp"
#include "fd/table.hpp"
#include "fd/watch.hpp"
#include "weft/park.hpp"

namespace weft {

namespace {

// The timers come before the events of a look at the kernel, and a deadline that has passed means "try".
bool is_ready(int fd, fd::direction dir) noexcept {
  pollfd asked{fd, static_cast<short>(dir == fd::direction::read ? POLLIN : POLLOUT), 0};
  return base::raw_syscall(SYS_poll, &asked, 1, 0) > 0;
}

bool wait_for(int fd, fd::direction dir, deadline by) {
  core::local_hub();
  fd::watch* w = fd::pin(fd);
  if (w == nullptr && !fd::is_open(fd)) return true;  // a system call will tell
  if (w == nullptr) throw std::system_error(ENOMEM, std::generic_category(), "weft: waiting for a descriptor");
  const fd::outcome end = fd::wait_cancellable(*w, dir, by.ns());
  fd::unpin(*w);
  if (end == fd::outcome::cancelled) throw_cancelled();
  return end != fd::outcome::timed_out || is_ready(fd, dir);
}

}  // namespace

bool wait_readable(int fd, deadline by) { return wait_for(fd, fd::direction::read, by); }
bool wait_writable(int fd, deadline by) { return wait_for(fd, fd::direction::write, by); }

int close(int fd) noexcept {
  const long result = fd::close_waking(fd);
  if (result == 0) return 0;
  errno = static_cast<int>(-result);
  return -1;
}

}  // namespace weft
