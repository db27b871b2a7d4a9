// SPDX-License-Identifier: MIT
// read, write and their vector forms on pipes, terminals, eventfds and so on; on sockets they are recvfrom and sendto.
#include "shim/io.hpp"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <string_view>

#include "fd/poll_now.hpp"
#include "shim/blocked.hpp"
#include "shim/fd_link.hpp"
#include "shim/helper.hpp"
#include "shim/socket_io.hpp"
#include "shim/thread.hpp"
#include "shim/user_memory.hpp"
#include "shim/user_vectors.hpp"

namespace weft::shim {

namespace {

using fd::direction;
using fd::slot;

// POLLOUT on a pipe promises room for this much (pipe(7)).
constexpr unsigned long pipe_buf = 4096;
// A terminal takes what is written in pieces like this (drivers/tty/tty_io.c), so to cut there changes nothing.
constexpr unsigned long tty_piece = 2048;

bool ready_now(int fd, short events) noexcept {
  pollfd p{fd, events, 0};
  return fd::poll_now(&p, 1) != 0;
}

// Files whose read and write know no flag for it: a look first. If another process is faster between the two the carrier
// blocks until the scheduler's tick ends the call.
long call_if_ready(slot& s, long nr, int fd, short events, const iovec* parts, unsigned long count) noexcept {
  s.turn.lock();
  long result = -EAGAIN;
  if (ready_now(fd, events)) {
    const call c{
        nr,
        {static_cast<unsigned long>(static_cast<unsigned>(fd)), reinterpret_cast<unsigned long>(parts), count, 0, 0, 0},
        nullptr};
    result = kickable(c);
    if (result == -EINTR) result = -EAGAIN;
  }
  s.turn.unlock();
  return result;
}

long read_now(slot& s, int fd, const iovec* to, unsigned long vectors) noexcept {
  if (!s.has(slot::no_read_flag)) {
    const long result = base::raw_syscall(SYS_preadv2, fd, to, vectors, -1L, -1L, RWF_NOWAIT);
    if (result != -EOPNOTSUPP) return result;
    s.set(slot::no_read_flag);
  }
  return call_if_ready(s, SYS_readv, fd, POLLIN, to, vectors);
}

long write_now(slot& s, int fd, const iovec* from, unsigned long vectors) noexcept {
  if (!s.has(slot::no_write_flag)) {
    const long result = base::raw_syscall(SYS_pwritev2, fd, from, vectors, -1L, -1L, RWF_NOWAIT);
    if (result != -EOPNOTSUPP) return result;
    s.set(slot::no_write_flag);
  }
  return call_if_ready(s, SYS_writev, fd, POLLOUT, from, vectors);
}

// A read of less than this fails before there is a value to read: so it is with eventfds, timerfds and signalfds
// (fs/eventfd.c, eventfd_read; fs/timerfd.c, timerfd_read_iter; fs/signalfd.c, signalfd_read_iter), where others wait first.
unsigned long least_read(int fd) noexcept {
  char target[40];
  const std::string_view name = read_fd_link(fd, target, sizeof target);
  if (name == "anon_inode:[eventfd]" || name == "anon_inode:[timerfd]") return sizeof(std::uint64_t);
  return name == "anon_inode:[signalfd]" ? sizeof(signalfd_siginfo) : 0;
}

enum class terminal_read { waits_for_one, at_once, timed };

// When a terminal's read comes back does not depend on readiness alone in non-canonical mode (termios(3), VMIN and VTIME).
terminal_read how_terminal_reads(int fd) noexcept {
  ::termios mode;
  if (base::is_error(base::raw_syscall(SYS_ioctl, fd, TCGETS, &mode))) return terminal_read::waits_for_one;
  if ((mode.c_lflag & ICANON) != 0) return terminal_read::waits_for_one;
  if (mode.c_cc[VTIME] != 0) return terminal_read::timed;
  return mode.c_cc[VMIN] == 0 ? terminal_read::at_once : terminal_read::waits_for_one;
}

long read_vectors(call& c, slot& s, int fd, const iovec* to, unsigned long vectors) noexcept {
  if (s.has(slot::nonblocking) && fd::is_nonblocking(s, fd)) return pass(c);
  long result = read_now(s, fd, to, vectors);
  if (result != -EAGAIN) return result;
  if (fd::is_nonblocking(s, fd)) return pass(c);
  unsigned long length;
  if (s.what() == fd::kind::other && sum_vectors(to, vectors, length) && length < sizeof(signalfd_siginfo) &&
      length < least_read(fd)) {
    return pass(c);
  }
  if (s.what() == fd::kind::other) {
    const terminal_read how = how_terminal_reads(fd);
    if (how == terminal_read::at_once) return pass(c);
    if (how == terminal_read::timed) return offload(c);
  }
  blocked b(c, s, fd);
  do {
    if (const long stop = b.wait(direction::read)) return stop;
    result = read_now(s, b.fd(), to, vectors);
  } while (result == -EAGAIN);
  return result;
}

// Cuts what is to be written to what the file takes without blocking once it is writable.
void cut(vector_window& w, unsigned long most) noexcept {
  unsigned long taken = 0;
  for (unsigned i = 0; i < w.count; ++i) {
    if (taken + w.parts[i].iov_len >= most) {
      w.parts[i].iov_len = most - taken;
      w.count = i + 1;
      w.bytes = most;
      return;
    }
    taken += w.parts[i].iov_len;
  }
}

long write_vectors(call& c, slot& s, int fd, const iovec* from, unsigned long vectors, unsigned long length) noexcept {
  if (s.has(slot::nonblocking) && fd::is_nonblocking(s, fd)) return pass(c);
  if (s.has(slot::no_write_flag) && fd::is_nonblocking(s, fd)) return pass(c);
  blocked b(c, s, fd);
  unsigned long done = 0;
  for (;;) {
    vector_window w;
    if (!w.fill(from, vectors, done)) return done > 0 ? static_cast<long>(done) : -EFAULT;
    if (s.has(slot::no_write_flag)) cut(w, s.what() == fd::kind::pipe ? pipe_buf : tty_piece);
    // Up to PIPE_BUF bytes must go as one, however many parts they come in: as the program gave them.
    const bool as_given = done == 0 && length <= pipe_buf;
    const long result = as_given ? write_now(s, b.fd(), from, vectors) : write_now(s, b.fd(), w.parts, w.count);
    if (result >= 0) {
      done += static_cast<unsigned long>(result);
      if (done >= length) return static_cast<long>(done);
      if (result > 0) continue;
    } else if (result != -EAGAIN) {
      return done > 0 ? static_cast<long>(done) : result;
    }
    if (!b.has_waited() && fd::is_nonblocking(s, fd)) return done > 0 ? static_cast<long>(done) : pass(c);
    if (const long stop = b.wait(direction::write)) return done > 0 ? static_cast<long>(done) : stop;
  }
}

long read_many(call& c, slot& s) noexcept {
  const auto* const to = c.arg<const iovec*>(1);
  const unsigned long vectors = c.args[2];
  if (vectors == 0 || vectors > max_vectors) return pass(c);
  if (!is_socket(s)) return read_vectors(c, s, c.fd(), to, vectors);
  unsigned long total;
  if (!sum_vectors(to, vectors, total) || total == 0) return pass(c);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(to);
  message.msg_iovlen = vectors;
  return receive_message(c, s, c.fd(), &message, 0);
}

long write_many(call& c, slot& s) noexcept {
  const auto* const from = c.arg<const iovec*>(1);
  const unsigned long vectors = c.args[2];
  if (vectors > max_vectors) return pass(c);
  if (!is_socket(s)) {
    unsigned long total;
    if (!sum_vectors(from, vectors, total) || total == 0) return pass(c);
    return write_vectors(c, s, c.fd(), from, vectors, total);
  }
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(from);
  message.msg_iovlen = vectors;
  return send_message(c, s, c.fd(), message, 0);
}

bool is_character_device(int fd) noexcept {
  struct stat st;
  return !base::is_error(base::raw_syscall(SYS_fstat, fd, &st)) && S_ISCHR(st.st_mode);
}

// /dev/zero, /dev/urandom and getrandom look for signals behind each page and come back with what they have (drivers/char/mem.c,
// read_iter_zero; drivers/char/random.c, get_random_bytes_user). The scheduler's tick is none that the program knows of.
bool may_be_cut(long result) noexcept {
  constexpr long page = 4096;
  return __builtin_expect(result > 0 && result % page == 0, 0);
}

// What `result` of such a call becomes: it goes on, by `rest(done)`, as long as no signal of the program's is there.
template <class Rest>
long go_on(long result, unsigned long length, Rest rest) noexcept {
  const auto& signals = static_cast<thread*>(weft_this_hub->current)->signals;
  auto done = static_cast<unsigned long>(result);
  while (done < length && !signals.attention.load(std::memory_order_relaxed)) {
    const long more = rest(done);
    if (more <= 0) break;
    done += static_cast<unsigned long>(more);
  }
  return static_cast<long>(done);
}

long whole(const call& c, long result, long vector_call, const iovec* parts, unsigned long vectors,
           unsigned long length) noexcept {
  if (static_cast<unsigned long>(result) >= length || !is_character_device(c.fd())) return result;
  return go_on(result, length, [&](unsigned long done) {
    vector_window w;
    return w.fill(parts, vectors, done) ? base::raw_syscall(vector_call, c.fd(), w.parts, w.count) : 0;
  });
}

// What a call with one buffer, or with several, on a file that never blocks has to answer.
long whole_of_one(const call& c, long result, long vector_call) noexcept {
  if (!may_be_cut(result)) return result;
  const iovec part{c.arg<void*>(1), c.args[2]};
  return whole(c, result, vector_call, &part, 1, c.args[2]);
}
long whole_of_many(const call& c, long result, long vector_call) noexcept {
  unsigned long length;
  if (!may_be_cut(result) || !sum_vectors(c.arg<const iovec*>(1), c.args[2], length)) return result;
  return whole(c, result, vector_call, c.arg<const iovec*>(1), c.args[2], length);
}

// The numbers that preadv2 and pwritev2 take for "at the file's own position, and no flags" make them readv and writev.
bool is_plain_vector_call(const call& c) noexcept { return static_cast<long>(c.args[3]) == -1 && c.args[5] == 0; }

}  // namespace

long sys_read(call& c) noexcept {
  long result;
  slot* s = slot_for(c, c.fd(), result);
  if (s == nullptr) return whole_of_one(c, result, SYS_readv);
  if (c.args[2] == 0) return pass(c);
  if (is_socket(*s)) return receive(c, *s, c.fd(), c.arg<void*>(1), c.args[2], 0, nullptr, nullptr);
  const iovec to{c.arg<void*>(1), c.args[2]};
  return read_vectors(c, *s, c.fd(), &to, 1);
}

long sys_write(call& c) noexcept {
  long result;
  slot* s = slot_for(c, c.fd(), result);
  if (s == nullptr) return whole_of_one(c, result, SYS_writev);
  if (is_socket(*s)) return send(c, *s, c.fd(), c.arg<const void*>(1), c.args[2], 0, nullptr, 0);
  if (c.args[2] == 0) return pass(c);
  const iovec from{c.arg<void*>(1), c.args[2]};
  return write_vectors(c, *s, c.fd(), &from, 1, c.args[2]);
}

long sys_readv(call& c) noexcept {
  long result;
  slot* s = slot_for(c, c.fd(), result);
  return s == nullptr ? whole_of_many(c, result, SYS_readv) : read_many(c, *s);
}

long sys_writev(call& c) noexcept {
  long result;
  slot* s = slot_for(c, c.fd(), result);
  return s == nullptr ? whole_of_many(c, result, SYS_writev) : write_many(c, *s);
}

long sys_preadv2(call& c) noexcept {
  if (!is_plain_vector_call(c)) return pass(c);
  long result;
  slot* s = slot_for(c, c.fd(), result);
  return s == nullptr ? whole_of_many(c, result, SYS_readv) : read_many(c, *s);
}

long sys_pwritev2(call& c) noexcept {
  if (!is_plain_vector_call(c)) return pass(c);
  long result;
  slot* s = slot_for(c, c.fd(), result);
  return s == nullptr ? whole_of_many(c, result, SYS_writev) : write_many(c, *s);
}

long sys_getrandom(call& c) noexcept {
  const long result = pass(c);
  if (!may_be_cut(result)) return result;
  return go_on(result, c.args[1], [&](unsigned long done) {
    return base::raw_syscall(SYS_getrandom, c.args[0] + done, c.args[1] - done, c.args[2]);
  });
}

}  // namespace weft::shim
