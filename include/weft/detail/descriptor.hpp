// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <system_error>

#include "weft/deadline.hpp"

namespace weft::fd {
struct watch;
}

namespace weft::detail {

/// An open descriptor that belongs to one object and may be used, and closed, by any number of fibers at once: what
/// sockets and pipes stand on.
///
/// A system call on it runs between `enter` and `leave`, and nobody parks in between. So the number is given back to the
/// kernel only when no call uses it: at once if `close` meets none, else by the last that leaves. No call can hit a file
/// that got the number since.
///
/// Threads   All but moves and destruction may be called from anywhere. Those need that nobody else uses the object.
/// Cost      `enter` and `leave` are one atomic instruction each.
class descriptor {
 public:
  constexpr descriptor() noexcept = default;
  /// Takes @p fd over; -1 for none.
  explicit descriptor(int fd) noexcept : fd_(fd), state_(fd < 0 ? closed | finished : 0) {}
  descriptor(descriptor&& other) noexcept;
  descriptor& operator=(descriptor&& other) noexcept;
  ~descriptor();

  /// The number; -1 once it is closed or given away.
  int number() const noexcept { return (state_.load(std::memory_order_acquire) & closed) != 0 ? -1 : fd_; }

  /// @return false when it is closed; then `leave` is not called
  bool enter() noexcept {
    if ((state_.fetch_add(1, std::memory_order_acquire) & closed) == 0) return true;
    leave();
    return false;
  }
  void leave() noexcept {
    if (__builtin_expect((state_.fetch_sub(1, std::memory_order_acq_rel) & ~kept) == closed + 1, 0)) finish();
  }
  /// Inside enter and leave: the number for system calls.
  int inside() const noexcept { return fd_; }

  /// Closes it; who waits for it is woken. @return false if it was closed already
  bool close() noexcept;
  /// Gives the number away instead of closing it; who waits is woken. @return -1 if it was closed already
  int release() noexcept;

  /// Its readiness, inside enter and leave; nullptr when memory is short.
  fd::watch* readiness() noexcept;

  /// Whether the last read got less than it had room for: then a wait comes before the next try.
  bool drained() const noexcept { return drained_.load(std::memory_order_relaxed); }
  void note_read(bool short_one) noexcept { drained_.store(short_one, std::memory_order_relaxed); }

  /// Calls in a row that did not wait; a fiber that is always served at once lets others run now and then.
  std::atomic<std::uint8_t> streak{0};

 private:
  static constexpr std::uint32_t closed = 1U << 31;
  static constexpr std::uint32_t kept = 1U << 30;      // the number was given away: nobody closes it
  static constexpr std::uint32_t finished = 1U << 29;  // what the last that leaves has to do is done

  bool shut(std::uint32_t how) noexcept;
  void finish() noexcept;

  int fd_ = -1;
  std::atomic<std::uint32_t> state_{closed | finished};  // the flags, and how many are between enter and leave
  std::atomic<fd::watch*> watch_{nullptr};
  std::atomic<bool> drained_{false};
};

/// Results of the calls below the public ones: not negative, or a code that `error_of` understands.
using io_result = long;
std::error_code error_of(io_result failed) noexcept;
[[noreturn]] void throw_io(io_result failed, const char* what);
inline std::size_t checked(io_result result, const char* what) {
  if (__builtin_expect(result < 0, 0)) throw_io(result, what);
  return static_cast<std::size_t>(result);
}
inline std::size_t reported(io_result result, std::error_code& ec) noexcept {
  if (result < 0) {
    ec = error_of(result);
    return 0;
  }
  ec.clear();
  return static_cast<std::size_t>(result);
}

}  // namespace weft::detail
