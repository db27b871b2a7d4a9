// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include "weft/io.hpp"

namespace weft {

/// Owns a descriptor of whatever kind and closes it; to wait in its calls make a socket or a pipe of it.
///
///     weft::unique_fd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
///     if (!timer) throw std::system_error(errno, std::generic_category());
///     weft::wait_readable(timer.get());
///
/// A negative number is none. One that is not open is none of its business either: what close(2) says is dropped. Two owners of
/// one number are a mistake that nothing can find: the second closes what somebody else has been given by then.
///
/// Blocking  Never. A close wakes the fibers that wait for the descriptor.
/// Threads   A value: for one fiber at a time.
/// Lifetime  It closes what it has when it goes, and what it had when it is given another.
class unique_fd {
 public:
  constexpr unique_fd() noexcept = default;
  constexpr explicit unique_fd(int fd) noexcept : fd_(fd) {}
  constexpr unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~unique_fd() { reset(); }

  constexpr int get() const noexcept { return fd_; }
  constexpr explicit operator bool() const noexcept { return fd_ >= 0; }
  [[nodiscard]] constexpr int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept {
    if (fd_ >= 0) weft::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace weft
