// SPDX-License-Identifier: MIT
#include "weft/io.hpp"

#include <cerrno>
#include <system_error>

#include "core/local_hub.hpp"
#include "fd/watch.hpp"

namespace weft {

namespace {

bool wait_for(int fd, fd::direction dir, deadline by) {
  core::local_hub();
  fd::watch* w = fd::pin(fd);
  if (w == nullptr) throw std::system_error(ENOMEM, std::generic_category(), "weft: waiting for a descriptor");
  const fd::outcome end = fd::wait(*w, dir, by.ns(), false);
  fd::unpin(*w);
  return end != fd::outcome::timed_out;
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
