// SPDX-License-Identifier: MIT
// What libev asks of the kernel comes by here: it is linked from its archive with --wrap for these names
// (lib/CMakeLists.txt), and docs/decisions/libev.md says why.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <atomic>
#include <cstdio>

#include "base/clock.hpp"
#include "base/syscall.hpp"
#include "loop/loop.hpp"

namespace weft::loop {

namespace {

constexpr std::int64_t second = 1'000'000'000;

// Since Linux 5.11; some seccomp filters deny it.
std::atomic<bool> has_pwait2{true};

long wait_exactly(int epoll, epoll_event* events, int room, std::int64_t until_ns) noexcept {
  const std::int64_t left = until_ns - base::monotonic_ns();
  if (left <= 0) return base::raw_syscall(SYS_epoll_wait, epoll, events, room, 0);
  const timespec wait{left / second, left % second};
  if (has_pwait2.load(std::memory_order_relaxed)) {
    const long result = base::raw_syscall(SYS_epoll_pwait2, epoll, events, room, &wait, nullptr, 0);
    if (result != -ENOSYS && result != -EPERM) return result;
    has_pwait2.store(false, std::memory_order_relaxed);
  }
  // An epoll is pollable itself, and ppoll counts nanoseconds.
  pollfd set{epoll, POLLIN, 0};
  timespec rest = wait;
  const long ready = base::raw_syscall(SYS_ppoll, &set, 1, &rest, nullptr, 0);
  return ready <= 0 ? ready : base::raw_syscall(SYS_epoll_wait, epoll, events, room, 0);
}

int with_errno(long result) noexcept {
  if (!base::is_error(result)) return static_cast<int>(result);
  errno = static_cast<int>(-result);
  return -1;
}

}  // namespace

/// The way from libev's calls to the loop that makes them.
struct libev_kernel {
  /// At the loop's creation, and in the midst of a run when libev is told of a number that has meanwhile got another file
  /// (a child has the old one open). Then the loop's descriptor keeps its number, which the patch knows as Weft's own.
  static int create_epoll(int flags) noexcept {
    std::atomic<int>& own = event_loop::current->epoll_fd_;
    long fd = base::raw_syscall(SYS_epoll_create1, flags);
    if (base::is_error(fd)) return with_errno(fd);
    const int number = own.load(std::memory_order_relaxed);
    if (number < 0) {
      fd = move_high(static_cast<int>(fd));
      own.store(static_cast<int>(fd), std::memory_order_relaxed);
      return static_cast<int>(fd);
    }
    base::raw_syscall(SYS_dup3, fd, number, O_CLOEXEC);
    base::raw_syscall(SYS_close, fd);
    return number;
  }
  /// libev closes the old epoll before it makes the new one.
  static bool keeps(int fd) noexcept {
    return event_loop::current != nullptr && event_loop::current->epoll_fd_.load(std::memory_order_relaxed) == fd;
  }
  /// A wake is an event, not a state that somebody has to end by a read: that is a system call less on the way of each.
  static bool is_wake(int fd) noexcept { return event_loop::current != nullptr && event_loop::current->wake_fd_ == fd; }
  /// The point the present run waits for; @p timeout_ms, libev's, counts where a timer of its own is nearer.
  static std::int64_t until(int timeout_ms) noexcept {
    constexpr int longest_ms = 59'743;  // libev's MAX_BLOCKTIME, when it has no timer
    const std::int64_t point = event_loop::current->until_ns_;
    if (timeout_ms >= longest_ms) return point;
    return std::min(point, base::monotonic_ns() + timeout_ms * std::int64_t{1'000'000});
  }
};

}  // namespace weft::loop

extern "C" {

using weft::base::raw_syscall;
namespace loop = weft::loop;

/// libev would name its messages' stream; the archive's code refers to the variable in a way that only one of the same object
/// can serve. It is not used: libev's messages go to the callback that event_loop::create sets.
extern FILE* unused_stderr __asm__("__wrap_stderr");
FILE* unused_stderr = nullptr;

int libev_epoll_create1(int flags) __asm__("__wrap_epoll_create1");
int libev_epoll_create1(int flags) { return loop::libev_kernel::create_epoll(flags); }

/// Another hub's fiber may close a descriptor between the start of its watcher and this call. libev takes that for a bug of
/// its user and aborts; it is none. EPERM stands for files that are always ready: who waits tries, and the kernel tells.
int libev_epoll_ctl(int epoll, int operation, int fd, epoll_event* event) __asm__("__wrap_epoll_ctl");
int libev_epoll_ctl(int epoll, int operation, int fd, epoll_event* event) {
  if (operation != EPOLL_CTL_DEL && loop::libev_kernel::is_wake(fd)) event->events |= EPOLLET;
  const long result = raw_syscall(SYS_epoll_ctl, epoll, operation, fd, event);
  const bool gone = result == -EBADF || result == -ELOOP || result == -EINVAL;
  return loop::with_errno(gone ? -EPERM : result);
}

/// libev waits in whole milliseconds, rounded up, and a minute at most; the loop knows the point exactly.
int libev_epoll_wait(int epoll, epoll_event* events, int room, int timeout_ms) __asm__("__wrap_epoll_wait");
int libev_epoll_wait(int epoll, epoll_event* events, int room, int timeout_ms) {
  if (timeout_ms == 0) return loop::with_errno(raw_syscall(SYS_epoll_wait, epoll, events, room, 0));
  const std::int64_t until = loop::libev_kernel::until(timeout_ms);
  if (until == loop::never) return loop::with_errno(raw_syscall(SYS_epoll_wait, epoll, events, room, -1));
  return loop::with_errno(loop::wait_exactly(epoll, events, room, until));
}

int libev_close(int fd) __asm__("__wrap_close");
int libev_close(int fd) { return loop::libev_kernel::keeps(fd) ? 0 : loop::with_errno(raw_syscall(SYS_close, fd)); }
}
