// SPDX-License-Identifier: MIT
#include "weft/stream_socket.hpp"

#include <sys/sendfile.h>

#include <algorithm>

#include "io/io_vector.hpp"
#include "io/sigpipe.hpp"
#include "io/socket_call.hpp"

namespace weft {

using detail::io_result;
using fd::direction;

namespace {

constexpr std::uint64_t most_per_sendfile = 0x7ffff000;  // sendfile(2)

}  // namespace

stream_socket::stream_socket(int fd) {
  if (const int failed = io::adopt_socket(fd, SOCK_STREAM)) detail::throw_io(failed, "weft: not a stream socket");
  handle = detail::descriptor(fd);
}

stream_socket stream_socket::connect(const address& to, const address* from, std::error_code& ec, deadline by) {
  ec.clear();
  const int fd = io::make_socket(to.family(), SOCK_STREAM, 0);
  if (fd < 0) {
    ec = detail::error_of(fd);
    return {};
  }
  stream_socket s(fd, trusted());
  if (to.is_ip()) s.set(socket_options::no_delay, true, ec);
  io_result failed = 0;
  if (from != nullptr && ::bind(fd, from->data(), from->size()) != 0) failed = -errno;
  if (failed == 0) failed = io::connect_to(s.handle, to, by);
  if (failed == 0) return s;
  ec = detail::error_of(failed);
  return {};
}

stream_socket stream_socket::connect(const address& to, std::error_code& ec, deadline by) {
  return connect(to, nullptr, ec, by);
}

stream_socket stream_socket::connect(const address& to, deadline by) {
  std::error_code ec;
  stream_socket s = connect(to, nullptr, ec, by);
  if (ec) throw std::system_error(ec, "weft: connect to " + to.to_string());
  return s;
}

stream_socket stream_socket::connect(const address& to, const address& from, deadline by) {
  std::error_code ec;
  stream_socket s = connect(to, &from, ec, by);
  if (ec) throw std::system_error(ec, "weft: connect to " + to.to_string() + " from " + from.to_string());
  return s;
}

std::pair<stream_socket, stream_socket> stream_socket::pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
    detail::throw_io(-errno, "weft: socketpair");
  }
  for (const int fd : fds) io::note_socket(fd, SOCK_STREAM);
  return {stream_socket(fds[0], trusted()), stream_socket(fds[1], trusted())};
}

void stream_socket::shutdown(int how, std::error_code& ec) noexcept {
  detail::reported(io::call_now(handle, [how](int fd) { return ::shutdown(fd, how); }), ec);
}

void stream_socket::shutdown(int how) {
  std::error_code ec;
  shutdown(how, ec);
  if (ec) detail::throw_error(ec, "weft: shutdown");
}

std::size_t stream_socket::do_read(mutable_buffer to, std::error_code& ec, deadline by) {
  if (to.size() == 0) return 0;
  const io_result n = io::operate(handle, direction::read, by, handle.drained(),
                                  [to](int fd) { return ::recv(fd, to.data(), to.size(), MSG_DONTWAIT); });
  if (n < 0) {
    ec = detail::error_of(n);
    return 0;
  }
  // What gave less than there was room for has no more at this moment; behind its end it answers at once.
  handle.note_read(n != 0 && static_cast<std::size_t>(n) < to.size());
  return static_cast<std::size_t>(n);
}

std::size_t stream_socket::do_read(std::span<const mutable_buffer> to, std::error_code& ec, deadline by) {
  io::io_vector places(to);
  if (places.bytes() == 0) return 0;
  const io_result n = io::operate(handle, direction::read, by, handle.drained(),
                                  [&places](int fd) { return ::recvmsg(fd, places.message(), MSG_DONTWAIT); });
  if (n < 0) {
    ec = detail::error_of(n);
    return 0;
  }
  handle.note_read(n != 0 && static_cast<std::size_t>(n) < places.bytes());
  return static_cast<std::size_t>(n);
}

std::size_t stream_socket::do_write(const_buffer from, std::error_code& ec, deadline by) {
  if (from.size() == 0) return 0;
  const io_result n = io::operate(handle, direction::write, by, false, [from](int fd) {
    return ::send(fd, from.data(), from.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  });
  if (n >= 0) return static_cast<std::size_t>(n);
  ec = detail::error_of(n);
  return 0;
}

std::size_t stream_socket::do_write(std::span<const const_buffer> from, std::error_code& ec, deadline by) {
  io::io_vector places(from);
  if (places.bytes() == 0) return 0;
  const io_result n = io::operate(handle, direction::write, by, false, [&places](int fd) {
    return ::sendmsg(fd, places.message(), MSG_DONTWAIT | MSG_NOSIGNAL);
  });
  if (n >= 0) return static_cast<std::size_t>(n);
  ec = detail::error_of(n);
  return 0;
}

std::size_t stream_socket::peek_some(mutable_buffer to, deadline by) {
  if (to.size() == 0) return 0;
  // A reader that took all of it may have been there before: the first look decides, not what is remembered.
  return detail::checked(
      io::operate(handle, direction::read, by, false,
                  [to](int fd) { return ::recv(fd, to.data(), to.size(), MSG_DONTWAIT | MSG_PEEK); }),
      "weft: peek");
}

std::uint64_t stream_socket::send_file(int file, std::uint64_t offset, std::uint64_t count, std::error_code& ec,
                                       deadline by) {
  ec.clear();
  auto at = static_cast<off_t>(offset);
  std::uint64_t done = 0;
  while (done < count) {
    const auto step = static_cast<std::size_t>(std::min(count - done, most_per_sendfile));
    const io_result n = io::operate(handle, direction::write, by, false, [&](int fd) {
      return io::sparing_sigpipe([&] { return ::sendfile(fd, file, &at, step); });
    });
    if (n < 0) ec = detail::error_of(n);
    if (n <= 0) break;
    done += static_cast<std::uint64_t>(n);
  }
  return done;
}

std::uint64_t stream_socket::send_file(int file, std::uint64_t offset, std::uint64_t count, deadline by) {
  std::error_code ec;
  const std::uint64_t done = send_file(file, offset, count, ec, by);
  if (ec) detail::throw_error(ec, "weft: send_file");
  return done;
}

}  // namespace weft
