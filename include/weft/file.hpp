// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "weft/basic_reader.hpp"
#include "weft/basic_writer.hpp"
#include "weft/buffer.hpp"
#include "weft/deadline.hpp"
#include "weft/detail/descriptor.hpp"
#include "weft/io_error.hpp"

namespace weft {

/// An open file, read and written at offsets. To go through it from one end to the other take a `file_stream`; for pipes and
/// terminals, which have no offsets, `pipe_reader` and `pipe_writer`.
///
///     weft::file journal = weft::file::open("journal", O_RDWR | O_CREAT);
///     journal.write_at(entry, journal.size());
///     journal.sync_data();
///
/// A disk is never "not ready", so a plain read would hold the whole hub. Requests go to the kernel by io_uring, one ring for
/// each hub that uses files; where the kernel has none (before 5.6) or a filter forbids it, to the threads of
/// `default_thread_pool`.
///
/// Blocking  Each call that takes a deadline suspends the fiber until the kernel has done it, if it cannot do it at once.
/// Order     None between calls of several fibers, as with threads.
/// Timeout   A call that is late is taken back, and fails with io_errc::timed_out. What the kernel has begun and cannot take back
///           is waited for, as it may use the caller's memory until its end; its result then counts.
/// Cancel    A call that waits is a cancellation point, with the same wait. What a cancelled one has read is dropped; what it
///           writes may be written wholly, in part, or not.
/// Threads   Any number of fibers, of any hub, may use one file at once, `close` included: it is closed when the last call
///           is over. Moves and destruction need that nobody else uses it.
/// Lifetime  Buffers and paths are borrowed for the call. Destruction closes it.
/// Cost      By io_uring one system call, and no switch when the data are in the page cache; by threads two wakes more. See
///           `offload`.
/// Errors    std::system_error, or the std::error_code& of the twin: the system's, or io_errc. On a closed file EBADF; for an
///           offset that no file has (2^63 and above) EINVAL.
class file {
 public:
  /// Closed.
  file() noexcept = default;
  /// Takes @p fd over.
  explicit file(int fd) noexcept : handle_(fd) {}

  /// Opens @p path, close-on-exec.
  /// @param flags  of open(2)
  /// @param mode   of a file that is made, less the umask
  static file open(const std::string& path, int flags = O_RDONLY, mode_t mode = 0666, deadline by = deadline::never());
  /// @return a closed one on failure
  static file open(const std::string& path, int flags, mode_t mode, std::error_code& ec,
                   deadline by = deadline::never());

  /// Reads what there is at @p offset, as much as fits.
  /// @return the number of bytes; 0 at the end of the file, or if @p to has no room
  std::size_t read_at(mutable_buffer to, std::uint64_t offset, deadline by = deadline::never());
  std::size_t read_at(mutable_buffer to, std::uint64_t offset, std::error_code& ec, deadline by = deadline::never());
  /// The same into several places, filled one after the other (preadv); beyond 64 are left alone.
  std::size_t read_at(std::span<const mutable_buffer> to, std::uint64_t offset, deadline by = deadline::never());
  std::size_t read_at(std::span<const mutable_buffer> to, std::uint64_t offset, std::error_code& ec,
                      deadline by = deadline::never());

  /// Writes at @p offset, or at the end of a file opened with O_APPEND.
  /// @return the number of bytes: less than all only when there is no more room, or for more than 2 GiB
  std::size_t write_at(const_buffer from, std::uint64_t offset, deadline by = deadline::never());
  std::size_t write_at(const_buffer from, std::uint64_t offset, std::error_code& ec, deadline by = deadline::never());
  /// The same from several places (pwritev); those beyond the 64th are left.
  std::size_t write_at(std::span<const const_buffer> from, std::uint64_t offset, deadline by = deadline::never());
  std::size_t write_at(std::span<const const_buffer> from, std::uint64_t offset, std::error_code& ec,
                       deadline by = deadline::never());

  /// Waits until all that was written is on the device: fsync(2).
  void sync(deadline by = deadline::never());
  /// The same for the data and what is needed to find them: fdatasync(2).
  void sync_data(deadline by = deadline::never());
  /// What stat(2) tells, of STATX_BASIC_STATS.
  struct statx status(deadline by = deadline::never());
  /// Bytes.
  std::uint64_t size(deadline by = deadline::never()) { return status(by).stx_size; }
  /// Cuts it off, or fills it up with zeros, to @p bytes. By a thread, whatever the kernel.
  void truncate(std::uint64_t bytes, deadline by = deadline::never());

  bool is_open() const noexcept { return handle_.number() >= 0; }
  explicit operator bool() const noexcept { return is_open(); }
  /// -1 when closed. Never close it: that is `close`'s.
  int native_handle() const noexcept { return handle_.number(); }
  /// Closes it once no call uses it any more. Never suspends; a second close does nothing.
  void close() noexcept { handle_.close(); }
  /// Gives the descriptor away, open. @return -1 if it was closed
  int release() noexcept { return handle_.release(); }

 private:
  detail::descriptor handle_;
};

/// A file read or written from some place on, with the calls of basic_reader.hpp and basic_writer.hpp: lines, exact amounts,
/// all of a buffer.
///
///     weft::file_stream log(weft::file::open("access.log"));
///     std::string buffer;
///     std::error_code ec;
///     while (std::size_t n = log.read_until(buffer, "\n", 4096, ec)) {     // 0 and an error at the end
///       handle(std::string_view(buffer).substr(0, n));
///       buffer.erase(0, n);
///     }
///
/// As `file`, but with one position for reads and writes, which belongs to this object alone.
///
/// Threads   One fiber at a time.
class file_stream : public basic_reader<file_stream>, public basic_writer<file_stream> {
 public:
  file_stream() noexcept = default;
  /// Goes on from @p position, in bytes from the start.
  explicit file_stream(file f, std::uint64_t position = 0) noexcept : file_(std::move(f)), position_(position) {}

  std::uint64_t position() const noexcept { return position_; }
  void seek(std::uint64_t position) noexcept { position_ = position; }
  /// The file itself, for what has nothing to do with the position.
  file& underlying() noexcept { return file_; }

 private:
  friend class basic_reader<file_stream>;
  friend class basic_writer<file_stream>;
  std::size_t do_read(mutable_buffer to, std::error_code& ec, deadline by) {
    return do_read(std::span<const mutable_buffer>(&to, 1), ec, by);
  }
  std::size_t do_read(std::span<const mutable_buffer> to, std::error_code& ec, deadline by);
  std::size_t do_write(const_buffer from, std::error_code& ec, deadline by) {
    return do_write(std::span<const const_buffer>(&from, 1), ec, by);
  }
  std::size_t do_write(std::span<const const_buffer> from, std::error_code& ec, deadline by);

  file file_;
  std::uint64_t position_ = 0;
};

}  // namespace weft
