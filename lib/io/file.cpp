// SPDX-License-Identifier: MIT
#include "weft/file.hpp"

#include <cerrno>
#include <limits>

#include "io/file_call.hpp"
#include "io/io_vector.hpp"

namespace weft {

using detail::checked;
using detail::io_result;
using io::file_call;

namespace {

// While it lives the descriptor's number is not given back.
class use {
 public:
  explicit use(detail::descriptor& d) noexcept : d_(d), entered_(d.enter()) {}
  use(const use&) = delete;
  use& operator=(const use&) = delete;
  ~use() {
    if (entered_) d_.leave();
  }
  io_result perform(file_call call, deadline by) const {
    if (!entered_) return -EBADF;
    call.fd = d_.inside();
    return io::perform(call, by);
  }

 private:
  detail::descriptor& d_;
  const bool entered_;
};

template <class Buffer>
io_result transfer(detail::descriptor& d, file_call::kind what, std::span<const Buffer> buffers, std::uint64_t offset,
                   deadline by) {
  // As a loff_t it would be negative, and -1 stands for the file's own position (io_uring_enter(2)).
  if (offset > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return -EINVAL;
  const io::io_vector places(buffers);
  const use using_it(d);
  return using_it.perform({.what = what, .places = places.entries(), .count = places.count(), .offset = offset}, by);
}

io_result open_file(const std::string& path, int flags, mode_t mode, deadline by) {
  return io::perform({.what = file_call::kind::open, .path = path.c_str(), .flags = flags, .mode = mode}, by);
}

}  // namespace

file file::open(const std::string& path, int flags, mode_t mode, deadline by) {
  const io_result fd = open_file(path, flags, mode, by);
  if (fd < 0) throw std::system_error(detail::error_of(fd), "weft: open " + path);
  return file(static_cast<int>(fd));
}

file file::open(const std::string& path, int flags, mode_t mode, std::error_code& ec, deadline by) {
  const io_result fd = open_file(path, flags, mode, by);
  detail::reported(fd, ec);
  return fd < 0 ? file() : file(static_cast<int>(fd));
}

std::size_t file::read_at(mutable_buffer to, std::uint64_t offset, deadline by) {
  return read_at(std::span<const mutable_buffer>(&to, 1), offset, by);
}
std::size_t file::read_at(mutable_buffer to, std::uint64_t offset, std::error_code& ec, deadline by) {
  return read_at(std::span<const mutable_buffer>(&to, 1), offset, ec, by);
}
std::size_t file::read_at(std::span<const mutable_buffer> to, std::uint64_t offset, deadline by) {
  return checked(transfer(handle_, file_call::kind::read, to, offset, by), "weft: read");
}
std::size_t file::read_at(std::span<const mutable_buffer> to, std::uint64_t offset, std::error_code& ec, deadline by) {
  return detail::reported(transfer(handle_, file_call::kind::read, to, offset, by), ec);
}

std::size_t file::write_at(const_buffer from, std::uint64_t offset, deadline by) {
  return write_at(std::span<const const_buffer>(&from, 1), offset, by);
}
std::size_t file::write_at(const_buffer from, std::uint64_t offset, std::error_code& ec, deadline by) {
  return write_at(std::span<const const_buffer>(&from, 1), offset, ec, by);
}
std::size_t file::write_at(std::span<const const_buffer> from, std::uint64_t offset, deadline by) {
  return checked(transfer(handle_, file_call::kind::write, from, offset, by), "weft: write");
}
std::size_t file::write_at(std::span<const const_buffer> from, std::uint64_t offset, std::error_code& ec, deadline by) {
  return detail::reported(transfer(handle_, file_call::kind::write, from, offset, by), ec);
}

void file::sync(deadline by) { checked(use(handle_).perform({.what = file_call::kind::sync}, by), "weft: fsync"); }

void file::sync_data(deadline by) {
  checked(use(handle_).perform({.what = file_call::kind::sync_data}, by), "weft: fdatasync");
}

struct statx file::status(deadline by) {
  struct statx found {};
  checked(use(handle_).perform({.what = file_call::kind::status, .status = &found}, by), "weft: statx");
  return found;
}

void file::truncate(std::uint64_t bytes, deadline by) {
  checked(use(handle_).perform({.what = file_call::kind::truncate, .offset = bytes}, by), "weft: ftruncate");
}

std::size_t file_stream::do_read(std::span<const mutable_buffer> to, std::error_code& ec, deadline by) {
  const std::size_t n = file_.read_at(to, position_, ec, by);
  position_ += n;
  return n;
}

std::size_t file_stream::do_write(std::span<const const_buffer> from, std::error_code& ec, deadline by) {
  const std::size_t n = file_.write_at(from, position_, ec, by);
  position_ += n;
  return n;
}

}  // namespace weft
