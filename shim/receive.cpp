// SPDX-License-Identifier: MIT
// Receiving from sockets, and read(2) on them.
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/clock.hpp"
#include "shim/blocked.hpp"
#include "shim/helper.hpp"
#include "shim/io.hpp"
#include "shim/socket_io.hpp"
#include "shim/user_memory.hpp"
#include "shim/user_time.hpp"

namespace weft::shim {

namespace {

using fd::direction;
using fd::slot;

// Whether to wait before the first try: the last one emptied the socket, and the program does not want to be told.
bool wait_first(const slot& s, int flags) noexcept {
  const std::uint32_t known = s.flags.load(std::memory_order_relaxed);
  return (known & (slot::drained | slot::low_water)) != 0 && (known & slot::blocking) != 0 &&
         (flags & (MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE)) == 0 && fd::is_sole(s);
}

// A stream that gave less than it was asked for has no more at this moment.
void note_read(slot& s, long got, unsigned long wanted, int flags) noexcept {
  if (s.what() != fd::kind::stream || (flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE)) != 0) return;
  const bool drained = got > 0 && static_cast<unsigned long>(got) < wanted;
  if (drained == s.has(slot::drained)) return;
  if (drained) {
    s.set(slot::drained);
  } else {
    s.clear(slot::drained);
  }
}

bool may_wait(slot& s, int fd, long result, int flags) noexcept {
  return result == -EAGAIN && (flags & (MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE)) == 0 && !fd::is_nonblocking(s, fd);
}

// MSG_WAITALL on a stream: more is taken until the buffer is full; what there is counts when anything ends it.
long receive_all(blocked& b, char* to, unsigned long length, int flags, long done) noexcept {
  auto got = static_cast<unsigned long>(done > 0 ? done : 0);
  long result = done;
  while (got < length) {
    if (result == -EAGAIN || result > 0) {
      const long stop = b.wait(direction::read);
      if (stop != 0) return got > 0 ? static_cast<long>(got) : stop;
    } else {
      return got > 0 ? static_cast<long>(got) : result;
    }
    result = base::raw_syscall(SYS_recvfrom, b.fd(), to + got, length - got, flags | MSG_DONTWAIT, nullptr, nullptr);
    if (result > 0) got += static_cast<unsigned long>(result);
  }
  return static_cast<long>(got);
}

}  // namespace

long receive(call& c, slot& s, int fd, void* to, unsigned long length, int flags, void* from,
             void* from_length) noexcept {
  long result = -EAGAIN;
  const bool stream = s.what() == fd::kind::stream;
  if (!wait_first(s, flags)) {
    result = base::raw_syscall(SYS_recvfrom, fd, to, length, flags | MSG_DONTWAIT, from, from_length);
    const bool more = stream && (flags & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL && result > 0 &&
                      static_cast<unsigned long>(result) < length;
    if (!more && !may_wait(s, fd, result, flags)) {
      note_read(s, result, length, flags);
      return result;
    }
    if (more && ((flags & MSG_DONTWAIT) != 0 || fd::is_nonblocking(s, fd))) return result;
  }
  blocked b(c, s, fd);
  if (stream && (flags & MSG_WAITALL) != 0) {
    if ((flags & MSG_PEEK) != 0) return offload(c);
    return receive_all(b, static_cast<char*>(to), length, flags, result);
  }
  for (;;) {
    if (const long stop = b.wait(direction::read)) return stop;
    result = base::raw_syscall(SYS_recvfrom, b.fd(), to, length, flags | MSG_DONTWAIT, from, from_length);
    if (result != -EAGAIN) {
      note_read(s, result, length, flags);
      return result;
    }
  }
}

long receive_message(call& c, slot& s, int fd, msghdr* message, int flags) noexcept {
  const auto attempt = [&](int on) { return base::raw_syscall(SYS_recvmsg, on, message, flags | MSG_DONTWAIT); };
  if ((flags & MSG_WAITALL) != 0 && (flags & MSG_DONTWAIT) == 0 && s.what() == fd::kind::stream &&
      c.nr == SYS_recvmsg && !fd::is_nonblocking(s, fd)) {
    return offload(c);
  }
  long result = wait_first(s, flags) ? -EAGAIN : attempt(fd);
  if (!may_wait(s, fd, result, flags)) return result;
  blocked b(c, s, fd);
  do {
    if (const long stop = b.wait(direction::read)) return stop;
    result = attempt(b.fd());
  } while (result == -EAGAIN);
  return result;
}

long sys_recvfrom(call& c) noexcept {
  long result;
  slot* s = slot_for(c, c.fd(), result);
  if (s == nullptr) return result;
  if (!is_socket(*s)) return pass(c);
  return receive(c, *s, c.fd(), c.arg<void*>(1), c.args[2], c.arg<int>(3), c.arg<void*>(4), c.arg<void*>(5));
}

long sys_recvmsg(call& c) noexcept {
  long result;
  slot* s = slot_for(c, c.fd(), result);
  if (s == nullptr) return result;
  if (!is_socket(*s)) return pass(c);
  return receive_message(c, *s, c.fd(), c.arg<msghdr*>(1), c.arg<int>(2));
}

// The kernel looks at the time-out only between messages (recvmmsg(2), BUGS), and so do we.
long sys_recvmmsg(call& c) noexcept {
  long result;
  slot* s = slot_for(c, c.fd(), result);
  if (s == nullptr) return result;
  const auto flags = c.arg<int>(3);
  if (!is_socket(*s) || (flags & MSG_DONTWAIT) != 0) return pass(c);
  timespec limit{};
  std::int64_t due = core::timers::never;
  if (c.args[4] != 0) {
    if (const long error = copy_in_time(limit, c.arg<void*>(4))) return error;
    due = base::monotonic_ns() + (limit.tv_sec > 1'000'000'000 ? 1'000'000'000 : limit.tv_sec) * 1'000'000'000 +
          limit.tv_nsec;
  }
  auto* const messages = c.arg<mmsghdr*>(1);
  const unsigned long wanted = c.args[2] > 1024 ? 1024 : static_cast<unsigned>(c.args[2]);
  unsigned long got = 0;
  blocked b(c, *s, c.fd());
  while (got < wanted) {
    result = base::raw_syscall(SYS_recvmmsg, b.fd(), messages + got, wanted - got,
                               (flags & ~MSG_WAITFORONE) | MSG_DONTWAIT, nullptr);
    if (result > 0) {
      got += static_cast<unsigned long>(result);
      if ((flags & MSG_WAITFORONE) != 0 || base::monotonic_ns() >= due) break;
      continue;
    }
    if (result != -EAGAIN || (!b.has_waited() && fd::is_nonblocking(*s, c.fd()))) {
      return got > 0 ? static_cast<long>(got) : result;
    }
    if (const long stop = b.wait(direction::read)) return got > 0 ? static_cast<long>(got) : stop;
  }
  if (c.args[4] != 0 && due != core::timers::never) {
    const std::int64_t left = due - base::monotonic_ns();
    limit = left > 0 ? timespec{left / 1'000'000'000, left % 1'000'000'000} : timespec{};
    if (!copy_out(c.arg<void*>(4), limit)) return -EFAULT;
  }
  return static_cast<long>(got);
}

}  // namespace weft::shim
