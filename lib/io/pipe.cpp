// SPDX-License-Identifier: MIT
#include "weft/pipe.hpp"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "fd/table.hpp"
#include "io/io_vector.hpp"
#include "io/operation.hpp"
#include "io/sigpipe.hpp"

namespace weft {

using detail::io_result;
using fd::direction;

namespace {

constexpr int no_signal = 0x100;  // RWF_NOSIGNAL, Linux 6.18; Debian 12's headers do not have it
constinit std::atomic<bool> flag_unknown{false};

ssize_t write_quietly(int fd, const iovec* places, int count) noexcept {
  if (!flag_unknown.load(std::memory_order_relaxed)) {
    const ssize_t n = ::pwritev2(fd, places, count, -1, no_signal);
    if (n >= 0 || (errno != EOPNOTSUPP && errno != EINVAL)) return n;
    flag_unknown.store(true, std::memory_order_relaxed);
  }
  return io::sparing_sigpipe([&] { return ::writev(fd, places, count); });
}

std::size_t finish_read(detail::descriptor& d, io_result n, std::size_t room, std::error_code& ec) noexcept {
  if (n < 0) {
    ec = detail::error_of(n);
    return 0;
  }
  d.note_read(n != 0 && static_cast<std::size_t>(n) < room);
  return static_cast<std::size_t>(n);
}

}  // namespace

namespace detail {

pipe_end::pipe_end(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) throw_io(-errno, "weft: not an open descriptor");
  blocking_before_ = (flags & O_NONBLOCK) == 0;
  if (blocking_before_ && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) throw_io(-errno, "weft: O_NONBLOCK");
  handle = descriptor(fd);
}

pipe_end::pipe_end(pipe_end&& other) noexcept
    : handle(std::move(other.handle)), blocking_before_(std::exchange(other.blocking_before_, false)) {}

pipe_end& pipe_end::operator=(pipe_end&& other) noexcept {
  if (this == &other) return *this;
  close();
  handle = std::move(other.handle);
  blocking_before_ = std::exchange(other.blocking_before_, false);
  return *this;
}

void pipe_end::restore() noexcept {
  if (!blocking_before_ || !handle.enter()) return;
  const int flags = ::fcntl(handle.inside(), F_GETFL);
  if (flags >= 0) ::fcntl(handle.inside(), F_SETFL, flags & ~O_NONBLOCK);
  handle.leave();
}

void pipe_end::close() noexcept {
  restore();
  handle.close();
}

int pipe_end::release() noexcept {
  restore();
  return handle.release();
}

}  // namespace detail

std::pair<pipe_reader, pipe_writer> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) detail::throw_io(-errno, "weft: pipe");
  for (const int fd : fds) fd::note_made(fd, fd::kind::pipe, true);
  return {pipe_reader(fds[0], true), pipe_writer(fds[1], true)};
}

std::size_t pipe_reader::do_read(mutable_buffer to, std::error_code& ec, deadline by) {
  if (to.size() == 0) return 0;
  const io_result n = io::operate(handle, direction::read, by, handle.drained(),
                                  [to](int fd) { return ::read(fd, to.data(), to.size()); });
  return finish_read(handle, n, to.size(), ec);
}

std::size_t pipe_reader::do_read(std::span<const mutable_buffer> to, std::error_code& ec, deadline by) {
  const io::io_vector places(to);
  if (places.bytes() == 0) return 0;
  const io_result n = io::operate(handle, direction::read, by, handle.drained(),
                                  [&](int fd) { return ::readv(fd, places.entries(), places.count()); });
  return finish_read(handle, n, places.bytes(), ec);
}

std::size_t pipe_writer::do_write(const_buffer from, std::error_code& ec, deadline by) {
  return do_write(std::span(&from, 1), ec, by);
}

std::size_t pipe_writer::do_write(std::span<const const_buffer> from, std::error_code& ec, deadline by) {
  const io::io_vector places(from);
  if (places.bytes() == 0) return 0;
  const io_result n = io::operate(handle, direction::write, by, false,
                                  [&](int fd) { return write_quietly(fd, places.entries(), places.count()); });
  if (n >= 0) return static_cast<std::size_t>(n);
  ec = detail::error_of(n);
  return 0;
}

}  // namespace weft
