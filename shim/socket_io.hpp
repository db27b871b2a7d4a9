// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include "fd/table.hpp"
#include "shim/dispatch.hpp"

namespace weft::shim {

inline bool is_socket(const fd::slot& s) noexcept {
  return s.what() == fd::kind::stream || s.what() == fd::kind::datagram;
}

/// recvfrom(2), also for read(2) on a socket.
long receive(call& c, fd::slot& s, int fd, void* to, unsigned long length, int flags, void* from,
             void* from_length) noexcept;
/// recvmsg(2), also for readv(2).
long receive_message(call& c, fd::slot& s, int fd, msghdr* message, int flags) noexcept;
/// sendto(2), also for write(2).
long send(call& c, fd::slot& s, int fd, const void* from, unsigned long length, int flags, const void* to,
          unsigned long to_length) noexcept;
/// sendmsg(2), also for writev(2). @p message lies in Weft's memory, what it points to in the program's.
long send_message(call& c, fd::slot& s, int fd, const msghdr& message, int flags) noexcept;

/// SIGPIPE for the running thread, as the kernel sends it.
void raise_sigpipe() noexcept;

}  // namespace weft::shim
