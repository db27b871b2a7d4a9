// SPDX-License-Identifier: MIT
#include "weft/io.hpp"

#include <poll.h>

#include <cerrno>
#include <system_error>

#include "core/local_hub.hpp"
#include "fd/poll_now.hpp"
#include "fd/table.hpp"
#include "fd/wait_set.hpp"
#include "fd/watch.hpp"
#include "weft/park.hpp"

namespace weft {

namespace {

// The timers come before the events of a look at the kernel, and a deadline that has passed means "try".
bool is_ready(int fd, fd::direction dir) noexcept {
  pollfd asked{fd, static_cast<short>(dir == fd::direction::read ? POLLIN : POLLOUT), 0};
  return fd::poll_now(&asked, 1) > 0;
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

int look_at(std::span<pollfd> fds) {
  const long ready = fd::poll_now(fds.data(), fds.size());
  if (ready < 0) throw std::system_error(static_cast<int>(-ready), std::generic_category(), "weft: poll");
  return static_cast<int>(ready);
}

}  // namespace

bool wait_readable(int fd, deadline by) { return wait_for(fd, fd::direction::read, by); }
bool wait_writable(int fd, deadline by) { return wait_for(fd, fd::direction::write, by); }

short wait_ready(int fd, short events, deadline by) {
  pollfd one{fd, events, 0};
  if (fd < 0) return POLLNVAL;
  poll({&one, 1}, by);
  return one.revents;
}

int poll(std::span<pollfd> fds, deadline by) {
  core::local_hub();
  int ready = look_at(fds);
  while (ready == 0) {
    fd::wait_set set;
    for (const pollfd& p : fds) {
      if (p.fd >= 0) set.add(p.fd, static_cast<unsigned short>(p.events));
    }
    fd::outcome end;
    do {
      end = set.wait_cancellable(by.ns());
      if (end == fd::outcome::cancelled) throw_cancelled();
      ready = look_at(fds);
      if (end == fd::outcome::timed_out) return ready;
    } while (ready == 0 && end != fd::outcome::stale);
  }
  return ready;
}

int close(int fd) noexcept {
  const long result = fd::close_waking(fd);
  if (result == 0) return 0;
  errno = static_cast<int>(-result);
  return -1;
}

}  // namespace weft
