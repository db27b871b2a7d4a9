// SPDX-License-Identifier: MIT
// accept and connect: neither takes a flag that says "do not wait".
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

// A look, then the call, with nobody of this process in between. If another process takes the connection between the two
// the carrier waits in the kernel until the scheduler's tick ends the call with EINTR, and the fiber waits on in the hub:
// O_NONBLOCK would be seen by that other process, whose calls it would break.
long accept_now(const call& c, slot& s, int fd) noexcept {
  call on = c;
  on.args[0] = static_cast<unsigned long>(static_cast<unsigned>(fd));
  s.turn.lock();
  pollfd p{fd, POLLIN, 0};
  long result = -EAGAIN;
  if (fd::poll_now(&p, 1) != 0) {
    result = kickable(on);
    if (result == -EINTR) result = -EAGAIN;
  }
  s.turn.unlock();
  return result;
}

// Only a socket that takes connections waits for them; others refuse at once.
bool is_listening(slot& s, int fd) noexcept {
  if (s.has(slot::listening)) return true;
  int on = 0;
  socklen_t length = sizeof on;
  base::raw_syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &length);
  if (on != 0) s.set(slot::listening);
  return on != 0;
}

long accepted(const call& c, slot& listener, long result) noexcept {
  if (base::is_error(result)) return result;
  const bool nonblocking = c.nr == SYS_accept4 && (c.args[3] & SOCK_NONBLOCK) != 0;
  const int fd = static_cast<int>(result);
  fd::note_made(fd, listener.what(), nonblocking);
  // The new socket has the listener's time limits (sk_clone copies them).
  slot* s = fd::find(fd);
  if (s != nullptr && fd::is_sole(listener)) {
    s->receive_ns.store(listener.receive_ns.load(std::memory_order_relaxed), std::memory_order_relaxed);
    s->send_ns.store(listener.send_ns.load(std::memory_order_relaxed), std::memory_order_relaxed);
    s->set(listener.flags.load(std::memory_order_relaxed) & (slot::receive_known | slot::send_known));
  }
  return result;
}

}  // namespace

long sys_accept(call& c) noexcept {
  long result;
  slot* s = slot_for(c, c.fd(), result);
  if (s == nullptr) return result;
  const bool refused =
      c.nr == SYS_accept4 && (c.args[3] & ~static_cast<unsigned long>(SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0;
  if (!is_socket(*s) || refused) return pass(c);
  if ((s->has(slot::nonblocking) && fd::is_nonblocking(*s, c.fd())) || !is_listening(*s, c.fd())) {
    return accepted(c, *s, pass(c));
  }
  result = accept_now(c, *s, c.fd());
  if (result != -EAGAIN) return accepted(c, *s, result);
  if (fd::is_nonblocking(*s, c.fd())) return accepted(c, *s, pass(c));
  blocked b(c, *s, c.fd());
  do {
    if (const long stop = b.wait(direction::read)) return stop;
    result = accept_now(c, *s, b.fd());
  } while (result == -EAGAIN);
  return accepted(c, *s, result);
}

long sys_connect(call& c) noexcept {
  long result;
  slot* s = slot_for(c, c.fd(), result);
  if (s == nullptr) return result;
  // Datagram sockets have nothing to wait for.
  if (s->what() != fd::kind::stream || fd::is_nonblocking(*s, c.fd())) return pass(c);
  if (!fd::is_sole(*s)) return offload(c);
  result = pass_nonblocking(c, *s, c.fd());
  // AF_UNIX: the backlog is full, and no event tells when it is not (unix(7)).
  if (result == -EAGAIN) return offload(c);
  // EALREADY: the call is made again behind a signal handler.
  if (result != -EINPROGRESS && result != -EALREADY) return result;
  blocked b(c, *s, c.fd());
  for (;;) {
    if (const long stop = b.wait(direction::write)) return stop == -EAGAIN ? -EINPROGRESS : stop;
    // The kernel's own last step: it tells the outcome, and that the socket is connected is noted there.
    result = pass_nonblocking(c, *s, b.fd());
    if (result != -EALREADY && result != -EINPROGRESS) return result;
  }
}

}  // namespace weft::shim
