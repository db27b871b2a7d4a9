// SPDX-License-Identifier: MIT
// Moving data inside the kernel. None of these can be told not to wait for a socket: where one may block, an OS thread
// waits in it.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "fd/poll_now.hpp"
#include "shim/blocked.hpp"
#include "shim/helper.hpp"
#include "shim/io.hpp"
#include "shim/socket_io.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

using fd::direction;
using fd::slot;

bool is_plain(int fd) noexcept {
  slot* s = fd::find(fd);
  return s != nullptr && fd::learn(*s, fd) == fd::kind::plain;
}

// A socket heeds its own flag alone, not the call's.
bool never_waits(int fd) noexcept {
  slot* s = fd::find(fd);
  return s != nullptr && fd::is_nonblocking(*s, fd);
}

bool is_pipe(int fd) noexcept {
  slot* s = fd::find(fd);
  return s != nullptr && fd::learn(*s, fd) == fd::kind::pipe;
}

}  // namespace

long sys_sendfile(call& c) noexcept {
  long result;
  slot* s = slot_for(c, c.fd(), result);
  if (s == nullptr) return result;
  if (fd::is_nonblocking(*s, c.fd())) return pass(c);
  if (s->what() != fd::kind::stream || !fd::is_sole(*s) || !is_plain(c.arg<int>(1))) return offload(c);
  blocked b(c, *s, c.fd());
  for (unsigned long sent = 0;;) {
    call rest = c;
    rest.args[3] = c.args[3] - sent;
    result = pass_nonblocking(rest, *s, b.fd());
    if (result > 0) {
      sent += static_cast<unsigned long>(result);
      if (sent < c.args[3]) continue;
    }
    if (result == -EPIPE && sent > 0) return static_cast<long>(sent);
    if (result != -EAGAIN) return sent > 0 ? static_cast<long>(sent) : result;
    if (const long stop = b.wait(direction::write)) return sent > 0 ? static_cast<long>(sent) : stop;
  }
}

long sys_splice(call& c) noexcept {
  const int in = c.fd();
  if (c.nr == SYS_vmsplice) {
    constexpr unsigned flags_at = 3;
    if ((c.args[flags_at] & SPLICE_F_NONBLOCK) != 0 || !is_pipe(in)) return pass(c);
    return offload(c);
  }
  const int out_at = c.nr == SYS_tee ? 1 : 2;
  const int out = c.arg<int>(out_at);
  const unsigned flags_at = c.nr == SYS_tee ? 3 : 5;
  const bool in_blocks = is_pipe(in);
  const bool out_blocks = is_pipe(out);
  const bool known_in = in_blocks || is_plain(in);
  const bool known_out = out_blocks || is_plain(out);
  const bool told_not_to = (c.args[flags_at] & SPLICE_F_NONBLOCK) != 0;
  if (told_not_to && (known_in || never_waits(in)) && (known_out || never_waits(out))) return pass(c);
  if (!known_in || !known_out) return offload(c);
  slot* const from = fd::find(in);
  slot* const to = fd::find(out);
  if (from == nullptr || to == nullptr) return offload(c);
  blocked source(c, *from, in, from->generation.load(std::memory_order_acquire));
  blocked target(c, *to, out, to->generation.load(std::memory_order_acquire));
  call now = c;
  now.args[flags_at] |= SPLICE_F_NONBLOCK;
  for (;;) {
    now.args[0] = static_cast<unsigned>(source.fd());
    now.args[out_at] = static_cast<unsigned>(target.fd());
    const long result = pass(now);
    if (result != -EAGAIN) return result;
    pollfd p{source.fd(), POLLIN, 0};
    const bool wait_out = out_blocks && (!in_blocks || fd::poll_now(&p, 1) != 0);
    blocked& b = wait_out ? target : source;
    if (!b.has_waited() && fd::is_nonblocking(wait_out ? *to : *from, b.fd())) return result;
    if (const long stop = b.wait(wait_out ? direction::write : direction::read)) return stop;
  }
}

}  // namespace weft::shim
