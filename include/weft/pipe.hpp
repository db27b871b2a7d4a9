// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include "weft/basic_reader.hpp"
#include "weft/basic_writer.hpp"
#include "weft/detail/descriptor.hpp"

namespace weft {

class splicer;

namespace detail {
/// What both ends have in common.
class pipe_end {
 public:
  bool is_open() const noexcept { return handle.number() >= 0; }
  explicit operator bool() const noexcept { return is_open(); }
  /// -1 when closed. Never close it: that is `close`'s.
  int native_handle() const noexcept { return handle.number(); }
  /// Closes it. Fibers that wait in it wake with EBADF. Never suspends; a second close does nothing.
  void close() noexcept;
  /// Gives the descriptor away, open, blocking if it was when it was taken over. Who waits in it wakes with EBADF.
  int release() noexcept;

 protected:
  pipe_end() noexcept = default;
  explicit pipe_end(int fd);
  pipe_end(int fd, bool made_here) noexcept : handle(fd), blocking_before_(!made_here) {}
  pipe_end(pipe_end&& other) noexcept;
  pipe_end& operator=(pipe_end&& other) noexcept;
  ~pipe_end() { close(); }

  descriptor handle;

 private:
  friend class weft::splicer;
  void restore() noexcept;
  bool blocking_before_ = false;
};
}  // namespace detail

class pipe_reader;
class pipe_writer;

/// A new pipe, both ends close-on-exec.
/// @throws std::system_error
std::pair<pipe_reader, pipe_writer> make_pipe();

/// The reading end of a pipe or FIFO, or a terminal or another device that may make one wait; for files use `file`, for both
/// directions `stream_socket::pair`.
///
/// Its reads are in basic_reader.hpp. What is taken over gets O_NONBLOCK in its open file description, which other processes
/// may share (a terminal is shared with the shell); it is taken back at the end.
///
/// Errors    As those calls say; on an end that is closed, moved from or default-made EBADF.
/// Threads   Any number of fibers, of any hubs, may use one end at once, close it included.
/// Lifetime  Its destruction closes it.
class pipe_reader : public detail::pipe_end, public basic_reader<pipe_reader> {
 public:
  pipe_reader() noexcept = default;
  /// Takes @p fd over.
  /// @throws std::system_error  it is not open; then it stays the caller's
  explicit pipe_reader(int fd) : pipe_end(fd) {}

 private:
  friend class basic_reader<pipe_reader>;
  friend std::pair<pipe_reader, pipe_writer> make_pipe();
  pipe_reader(int fd, bool made_here) noexcept : pipe_end(fd, made_here) {}
  std::size_t do_read(mutable_buffer to, std::error_code& ec, deadline by);
  std::size_t do_read(std::span<const mutable_buffer> to, std::error_code& ec, deadline by);
};

/// The writing end, in all as `pipe_reader`. When nobody reads any more a write fails with EPIPE and raises no SIGPIPE.
///
/// Its writes are in basic_writer.hpp. Those of at most PIPE_BUF (4,096) bytes are never torn apart by other writers'.
class pipe_writer : public detail::pipe_end, public basic_writer<pipe_writer> {
 public:
  pipe_writer() noexcept = default;
  /// Takes @p fd over.
  /// @throws std::system_error  it is not open; then it stays the caller's
  explicit pipe_writer(int fd) : pipe_end(fd) {}

 private:
  friend class basic_writer<pipe_writer>;
  friend std::pair<pipe_reader, pipe_writer> make_pipe();
  pipe_writer(int fd, bool made_here) noexcept : pipe_end(fd, made_here) {}
  std::size_t do_write(const_buffer from, std::error_code& ec, deadline by);
  std::size_t do_write(std::span<const const_buffer> from, std::error_code& ec, deadline by);
};

}  // namespace weft
