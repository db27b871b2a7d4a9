// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include "fd/table.hpp"
#include "io/operation.hpp"
#include "weft/address.hpp"

namespace weft::io {

/// socket(2), non-blocking and close-on-exec. @return the number or -errno
int make_socket(int family, int type, int protocol) noexcept;

/// The kind of a new socket, for the table of descriptors: it is nobody else's yet.
inline void note_socket(int fd, int type) noexcept {
  fd::note_made(fd, type == SOCK_STREAM ? fd::kind::stream : fd::kind::datagram, true);
}

/// Sets O_NONBLOCK on a descriptor that is taken over. @return 0 or -errno
int set_nonblocking(int fd) noexcept;
/// The same, after a look whether it is a socket of @p type. @return 0 or -errno (EPROTOTYPE for another type)
int adopt_socket(int fd, int type) noexcept;

/// A call that does not wait, on a descriptor that may be closed meanwhile. @return its result or -errno
template <class Call>
io_result call_now(descriptor& d, Call&& call) noexcept {
  if (!d.enter()) return -EBADF;
  const io_result result = call(d.inside());
  const int error = errno;
  d.leave();
  return result < 0 ? -error : result;
}

/// Waits for one direction. @return 1, 0 when @p by passed first, or a failure
io_result await(descriptor& d, fd::direction dir, deadline by);

/// connect(2) to its end.
io_result connect_to(descriptor& d, const address& to, deadline by);

}  // namespace weft::io
