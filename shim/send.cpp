// SPDX-License-Identifier: MIT
// Sending to sockets, and write(2) on them.
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "shim/blocked.hpp"
#include "shim/helper.hpp"
#include "shim/io.hpp"
#include "shim/signals.hpp"
#include "shim/socket_io.hpp"
#include "shim/thread.hpp"
#include "shim/user_memory.hpp"
#include "shim/user_vectors.hpp"

namespace weft::shim {

namespace {

using fd::direction;
using fd::slot;

// The kernel's own SIGPIPE would go to the carrier, which runs more than one thread.
constexpr int quiet = MSG_DONTWAIT | MSG_NOSIGNAL;

long finish(slot& s, long result, int flags) noexcept {
  if (result == -EPIPE && (flags & MSG_NOSIGNAL) == 0 && s.what() == fd::kind::stream) raise_sigpipe();
  return result;
}

bool may_wait(slot& s, int fd, int flags) noexcept { return (flags & MSG_DONTWAIT) == 0 && !fd::is_nonblocking(s, fd); }

// Descriptors that travel in a message are somebody else's too from then on.
void note_passed_fds(const msghdr& message) noexcept {
  if (message.msg_control == nullptr) return;
  const auto* at = static_cast<const char*>(message.msg_control);
  const char* const end = at + message.msg_controllen;
  cmsghdr header;
  while (static_cast<std::size_t>(end - at) >= sizeof header && copy_in(header, at) &&
         header.cmsg_len >= sizeof header && header.cmsg_len <= static_cast<std::size_t>(end - at)) {
    if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_RIGHTS) {
      for (std::size_t i = CMSG_LEN(0); i + sizeof(int) <= header.cmsg_len; i += sizeof(int)) {
        int fd;
        if (copy_in(fd, at + i)) fd::note_shared(fd);
      }
    }
    const std::size_t step = CMSG_ALIGN(header.cmsg_len);
    if (step > static_cast<std::size_t>(end - at)) return;
    at += step;
  }
}

// A datagram socket may be writable while the queue of the peer it names is full: its poll says nothing of that one. An
// OS thread can wait there.
constexpr int tries_of_datagrams = 3;

}  // namespace

void raise_sigpipe() noexcept {
  siginfo_t info{};
  info.si_signo = SIGPIPE;
  info.si_code = SI_USER;
  info.si_pid = static_cast<pid_t>(base::raw_syscall(SYS_getpid));
  info.si_uid = static_cast<uid_t>(base::raw_syscall(SYS_getuid));
  raise_for(self(), SIGPIPE, info);
}

long send(call& c, slot& s, int fd, const void* from, unsigned long length, int flags, const void* to,
          unsigned long to_length) noexcept {
  long result = base::raw_syscall(SYS_sendto, fd, from, length, flags | quiet, to, to_length);
  if (__builtin_expect(result == static_cast<long>(length), 1)) return result;
  const bool stream = s.what() == fd::kind::stream;
  if (result < 0 ? result != -EAGAIN : !stream) return finish(s, result, flags);
  if (!may_wait(s, fd, flags)) return result;
  // A blocking call sends all of it, unless a signal, an error or the time limit ends it; then what was sent counts.
  blocked b(c, s, fd);
  auto sent = static_cast<unsigned long>(result > 0 ? result : 0);
  for (int tries = 0; sent < length || sent == 0;) {
    if (const long stop = b.wait(direction::write)) return sent > 0 ? static_cast<long>(sent) : stop;
    result = base::raw_syscall(SYS_sendto, b.fd(), static_cast<const char*>(from) + sent, length - sent, flags | quiet,
                               to, to_length);
    if (result >= 0) {
      sent += static_cast<unsigned long>(result);
      if (!stream) return result;
    } else if (result != -EAGAIN) {
      return sent > 0 ? static_cast<long>(sent) : finish(s, result, flags);
    } else if (!stream && ++tries == tries_of_datagrams) {
      return b.offload_call();
    }
  }
  return static_cast<long>(sent);
}

long send_message(call& c, slot& s, int fd, const msghdr& message, int flags) noexcept {
  if (message.msg_controllen != 0) note_passed_fds(message);
  long result = base::raw_syscall(SYS_sendmsg, fd, &message, flags | quiet);
  const bool stream = s.what() == fd::kind::stream;
  if (result < 0 ? result != -EAGAIN : !stream) return finish(s, result, flags);
  unsigned long length = 0;
  if (stream && !sum_vectors(message.msg_iov, message.msg_iovlen, length)) return result;
  if (result >= 0 && static_cast<unsigned long>(result) >= length) return result;
  if (!may_wait(s, fd, flags)) return result;
  blocked b(c, s, fd);
  auto sent = static_cast<unsigned long>(result > 0 ? result : 0);
  for (int tries = 0; sent < length || sent == 0;) {
    if (const long stop = b.wait(direction::write)) return sent > 0 ? static_cast<long>(sent) : stop;
    if (sent == 0) {
      result = base::raw_syscall(SYS_sendmsg, b.fd(), &message, flags | quiet);
    } else {
      // Control data went with the first bytes.
      vector_window rest;
      if (!rest.fill(message.msg_iov, message.msg_iovlen, sent)) return static_cast<long>(sent);
      msghdr more{};
      more.msg_name = message.msg_name;
      more.msg_namelen = message.msg_namelen;
      more.msg_iov = rest.parts;
      more.msg_iovlen = rest.count;
      result = base::raw_syscall(SYS_sendmsg, b.fd(), &more, flags | quiet);
    }
    if (result >= 0) {
      sent += static_cast<unsigned long>(result);
      if (!stream) return result;
    } else if (result != -EAGAIN) {
      return sent > 0 ? static_cast<long>(sent) : finish(s, result, flags);
    } else if (!stream && ++tries == tries_of_datagrams && c.nr != SYS_sendmmsg) {
      return b.offload_call();
    }
  }
  return static_cast<long>(sent);
}

long sys_sendto(call& c) noexcept {
  long result;
  slot* s = slot_for(c, c.fd(), result);
  if (s == nullptr) return result;
  if (!is_socket(*s)) return pass(c);
  return send(c, *s, c.fd(), c.arg<const void*>(1), c.args[2], c.arg<int>(3), c.arg<const void*>(4), c.args[5]);
}

long sys_sendmsg(call& c) noexcept {
  long result;
  slot* s = slot_for(c, c.fd(), result);
  if (s == nullptr) return result;
  msghdr message;
  if (!is_socket(*s) || !copy_in(message, c.arg<const void*>(1))) return pass(c);
  return send_message(c, *s, c.fd(), message, c.arg<int>(2));
}

long sys_sendmmsg(call& c) noexcept {
  long result;
  slot* s = slot_for(c, c.fd(), result);
  if (s == nullptr) return result;
  if (!is_socket(*s)) return pass(c);
  auto* const messages = c.arg<mmsghdr*>(1);
  const unsigned wanted = c.arg<unsigned>(2) > 1024 ? 1024 : c.arg<unsigned>(2);
  for (unsigned i = 0; i < wanted; ++i) {
    mmsghdr one;
    result = copy_in(one, messages + i) ? send_message(c, *s, c.fd(), one.msg_hdr, c.arg<int>(3)) : -EFAULT;
    if (result >= 0 && !copy_out(&messages[i].msg_len, static_cast<unsigned>(result))) result = -EFAULT;
    // What was sent counts; the error will show in the next call (sendmmsg(2)).
    if (result < 0) return i > 0 ? static_cast<long>(i) : result;
  }
  return wanted;
}

}  // namespace weft::shim
