// SPDX-License-Identifier: MIT
#include "weft/listener.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "io/socket_call.hpp"

namespace weft {

using detail::io_result;

namespace {

// accept(2): errors of the connection that was about to be handed out, not of the listener.
bool concerns_one_connection(int error) noexcept {
  switch (error) {
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

// Whether the path is a socket that nobody listens on.
bool is_abandoned(const address& at, const std::string& path) noexcept {
  struct stat st;
  if (::lstat(path.c_str(), &st) != 0 || !S_ISSOCK(st.st_mode)) return false;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const bool refused = ::connect(probe, at.data(), at.size()) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  return refused;
}

int bind_to(int fd, const address& at, bool replace) noexcept {
  if (::bind(fd, at.data(), at.size()) == 0) return 0;
  if (errno != EADDRINUSE || !replace || !at.is_unix() || at.is_abstract()) return -errno;
  const std::string path(at.path());
  if (!is_abandoned(at, path) || ::unlink(path.c_str()) != 0) return -EADDRINUSE;
  return ::bind(fd, at.data(), at.size()) == 0 ? 0 : -errno;
}

}  // namespace

listener::listener(const address& at, const listen_options& options) {
  const int fd = io::make_socket(at.family(), SOCK_STREAM, 0);
  if (fd < 0) detail::throw_io(fd, "weft: listen");
  handle = detail::descriptor(fd);
  if (at.is_ip()) {
    set(socket_options::reuse_address, options.reuse_address);
    if (options.reuse_port) set(socket_options::reuse_port, true);
    if (at.is_ipv6()) set(socket_options::ipv6_only, options.ipv6_only);
    if (options.no_delay) set(socket_options::no_delay, true);
  }
  int failed = bind_to(fd, at, options.replace_unix_path);
  if (failed == 0 && ::listen(fd, options.backlog) != 0) failed = -errno;
  if (failed != 0) throw std::system_error(-failed, std::system_category(), "weft: listen on " + at.to_string());
}

listener::listener(int fd) {
  int failed = io::adopt_socket(fd, SOCK_STREAM);
  int listening = 0;
  socklen_t size = sizeof listening;
  if (failed == 0 && ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0) failed = -errno;
  if (failed == 0 && listening == 0) failed = -EINVAL;
  if (failed != 0) detail::throw_io(failed, "weft: not a listening socket");
  handle = detail::descriptor(fd);
}

stream_socket listener::accept(address* from, std::error_code& ec, deadline by) {
  address_room room;
  const io_result fd = io::operate(handle, fd::direction::read, by, false, [&](int on) {
    for (;;) {
      const int got = ::accept4(on, from == nullptr ? nullptr : room.data(), from == nullptr ? nullptr : room.size(),
                                SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (got >= 0 || !concerns_one_connection(errno)) return got;
    }
  });
  detail::reported(fd, ec);
  if (fd < 0) return {};
  io::note_socket(static_cast<int>(fd), SOCK_STREAM);
  if (from != nullptr) *from = room.get();
  return {static_cast<int>(fd), stream_socket::trusted()};
}

stream_socket listener::accept(deadline by) {
  std::error_code ec;
  stream_socket s = accept(nullptr, ec, by);
  if (ec) throw std::system_error(ec, "weft: accept");
  return s;
}

stream_socket listener::accept(address& from, deadline by) {
  std::error_code ec;
  stream_socket s = accept(&from, ec, by);
  if (ec) throw std::system_error(ec, "weft: accept");
  return s;
}

}  // namespace weft
