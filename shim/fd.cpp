// SPDX-License-Identifier: MIT
#include "shim/fd.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "fd/table.hpp"
#include "fd/watch.hpp"
#include "shim/helper.hpp"
#include "shim/late_objects.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

using fd::kind;
using fd::slot;

// A second number for a description: neither is alone any more, and what kind of file it is holds for both.
void note_copy(int from, long copy) noexcept {
  if (base::is_error(copy) || copy == from) return;
  slot* s = fd::find(from);
  const kind what = s == nullptr ? kind::unknown : s->what();
  fd::note_shared(from);
  fd::note_made(static_cast<int>(copy), what, false);
  fd::note_shared(static_cast<int>(copy));
}

kind kind_of_type(int type) noexcept { return (type & 15) == SOCK_STREAM ? kind::stream : kind::datagram; }

void note_pair(const void* user, kind what, bool nonblocking) noexcept {
  int pair[2];
  if (!copy_in(pair, user)) return;
  fd::note_made(pair[0], what, nonblocking);
  fd::note_made(pair[1], what, nonblocking);
}

long set_status(call& c) noexcept {
  slot* s = fd::find(c.fd());
  if (s == nullptr) return pass(c);
  s->turn.lock();
  const long result = pass(c);
  if (result == 0) fd::note_nonblocking(*s, (c.args[2] & O_NONBLOCK) != 0);
  s->turn.unlock();
  return result;
}

long get_status(call& c) noexcept {
  slot* s = fd::peek(c.fd());
  if (s == nullptr) return pass(c);
  // A call of ours may have O_NONBLOCK set for a moment.
  s->turn.lock();
  const long result = pass(c);
  s->turn.unlock();
  return result;
}

long lock_record(call& c) noexcept {
  call now = c;
  now.args[1] = c.args[1] == F_SETLKW ? F_SETLK : F_OFD_SETLK;
  const long result = pass(now);
  return result == -EAGAIN || result == -EACCES ? offload(c) : result;
}

// Runs @p visit for every number of the range of which something is noted.
template <class F>
void each_noted(unsigned first, unsigned last, F visit) noexcept {
  constexpr unsigned highest = 0x7fffffff;
  if (first > highest) return;
  const int end = static_cast<int>(last > highest ? highest : last);
  for (int n = fd::next_noted(static_cast<int>(first)); n >= 0 && n <= end; n = n == end ? -1 : fd::next_noted(n + 1)) {
    const slot* s = fd::peek(n);
    if (s != nullptr) visit(n, *s);
  }
}

}  // namespace

long sys_close(call& c) noexcept {
  const int n = c.fd();
  if (fd::is_reserved(n)) return -EBADF;
  patch_noted_text(n);
  fd::before_close(n);
  const long result = pass(c);
  fd::after_close(n);
  return result;
}

long sys_close_range(call& c) noexcept {
  const auto first = c.arg<unsigned>(0);
  const auto last = c.arg<unsigned>(1);
  const auto flags = c.arg<unsigned>(2);
  if (first > last || flags != 0) return pass(c);
  fd::reserve_loops();
  each_noted(first, last, [](int n, const slot&) { fd::before_close(n); });
  // In pieces that leave out what is Weft's own.
  call piece = c;
  unsigned from = first;
  bool done = false;
  long result = 0;
  each_noted(first, last, [&](int n, const slot& s) {
    if (!s.has(slot::reserved)) return;
    const auto own = static_cast<unsigned>(n);
    if (own > from) {
      piece.args[0] = from;
      piece.args[1] = own - 1;
      result = pass(piece);
    }
    from = own + 1;
    done = own == last;
  });
  if (!done && from <= last) {
    piece.args[0] = from;
    piece.args[1] = last;
    result = pass(piece);
  }
  each_noted(first, last, [](int n, const slot&) { fd::after_close(n); });
  return result;
}

long sys_dup(call& c) noexcept {
  if (fd::is_reserved(c.fd())) return -EBADF;
  const long result = pass(c);
  note_copy(c.fd(), result);
  return result;
}

long sys_dup2(call& c) noexcept {
  const int from = c.fd();
  const auto to = c.arg<int>(1);
  if (fd::is_reserved(from) || fd::is_reserved(to)) return -EBADF;
  if (from == to) return pass(c);
  fd::before_close(to);
  const long result = pass(c);
  fd::after_close(to);
  note_copy(from, result);
  return result;
}

long sys_fcntl(call& c) noexcept {
  if (fd::is_reserved(c.fd())) return -EBADF;
  switch (c.arg<int>(1)) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: {
      const long result = pass(c);
      note_copy(c.fd(), result);
      return result;
    }
    case F_SETFL:
      return set_status(c);
    case F_GETFL:
      return get_status(c);
    case F_SETLKW:
    case F_OFD_SETLKW:
      return lock_record(c);
    default:
      return pass(c);
  }
}

long sys_ioctl(call& c) noexcept {
  if (c.args[1] != FIONBIO) return pass(c);
  slot* s = fd::find(c.fd());
  int on;
  if (s == nullptr || s->has(slot::reserved) || !copy_in(on, c.arg<const void*>(2))) return pass(c);
  s->turn.lock();
  const long result = pass(c);
  if (result == 0) fd::note_nonblocking(*s, on != 0);
  s->turn.unlock();
  return result;
}

long sys_pipe(call& c) noexcept {
  const long result = pass(c);
  if (result == 0) note_pair(c.arg<const void*>(0), kind::pipe, c.nr == SYS_pipe2 && (c.args[1] & O_NONBLOCK) != 0);
  return result;
}

long sys_socket(call& c) noexcept {
  const long result = pass(c);
  if (!base::is_error(result)) {
    const auto type = c.arg<int>(1);
    fd::note_made(static_cast<int>(result), kind_of_type(type), (type & SOCK_NONBLOCK) != 0);
  }
  return result;
}

long sys_socketpair(call& c) noexcept {
  const long result = pass(c);
  const auto type = c.arg<int>(1);
  if (result == 0) note_pair(c.arg<const void*>(3), kind_of_type(type), (type & SOCK_NONBLOCK) != 0);
  return result;
}

long sys_setsockopt(call& c) noexcept {
  const long result = pass(c);
  if (result != 0 || c.arg<int>(1) != SOL_SOCKET) return result;
  slot* s = fd::find(c.fd());
  if (s == nullptr) return result;
  switch (c.arg<int>(2)) {
    case SO_RCVTIMEO_OLD:
    case SO_SNDTIMEO_OLD:
    case SO_RCVTIMEO_NEW:
    case SO_SNDTIMEO_NEW:
      fd::note_timeouts(*s);
      break;
    case SO_RCVLOWAT:
      s->set(slot::low_water);
      break;
    default:
      break;
  }
  return result;
}

void note_fork() noexcept { fd::note_all_shared(); }

void forget_fds() noexcept {
  fd::forget_all();
  forget_helpers();
}

}  // namespace weft::shim
