// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>

#include "fd/watch.hpp"
#include "weft/detail/descriptor.hpp"
#include "weft/io_error.hpp"

namespace weft::io {

using detail::descriptor;
using detail::io_result;

/// Below the errno values lie those of io_errc.
inline constexpr io_result first_own_code = -4096;
constexpr io_result failed_with(io_errc code) noexcept { return first_own_code + 1 - static_cast<io_result>(code); }

/// So many calls on one descriptor may follow each other without a wait before others have their turn.
inline constexpr std::uint8_t most_in_a_row = 32;

/// Where a call stands that has to wait; see `operate`.
class pending {
 public:
  pending(descriptor& d, fd::direction dir, deadline by) noexcept : d_(d), dir_(dir), by_(by) {}

  /// Between enter and leave: leaves, waits, and enters again. A cancellation point.
  /// @return 0 when it is worth trying; else a failure, and it did not enter again
  io_result wait();
  /// Whether the deadline has passed: the attempt that follows is the last.
  bool last_try() const noexcept { return last_try_; }

 private:
  descriptor& d_;
  fd::direction dir_;
  deadline by_;
  bool last_try_ = false;
};

/// Lets others run after many calls in a row that did not wait. A cancellation point when it does.
void take_turns(descriptor& d);

/// Calls @p attempt(fd), which answers as a system call of libc does, until it does not say EAGAIN; waits for @p dir in
/// between. A passed deadline still allows one attempt.
///
/// @param wait_first  the attempt is known to say EAGAIN just now
/// @return the attempt's result or a failure
template <class Attempt>
io_result operate(descriptor& d, fd::direction dir, deadline by, bool wait_first, Attempt&& attempt) {
  if (__builtin_expect(d.streak.load(std::memory_order_relaxed) > most_in_a_row, 0)) take_turns(d);
  if (!d.enter()) return -EBADF;
  pending waiting(d, dir, by);
  for (;; wait_first = false) {
    if (!wait_first) {
      const io_result result = attempt(d.inside());
      if (__builtin_expect(result >= 0, 1)) {
        d.leave();
        d.streak.store(static_cast<std::uint8_t>(d.streak.load(std::memory_order_relaxed) + 1),
                       std::memory_order_relaxed);
        return result;
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN) {
        const int error = errno;
        d.leave();
        return -error;
      }
    }
    if (const io_result failed = waiting.wait()) return failed;
  }
}

}  // namespace weft::io
