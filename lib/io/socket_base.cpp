// SPDX-License-Identifier: MIT
#include "weft/socket_base.hpp"

#include "io/socket_call.hpp"

namespace weft {

namespace {

using query = int (*)(int, sockaddr*, socklen_t*);

address ask(detail::descriptor& d, query call, std::error_code& ec) noexcept {
  address_room room;
  detail::reported(io::call_now(d, [&](int fd) { return call(fd, room.data(), room.size()); }), ec);
  return ec ? address() : room.get();
}

address ask(detail::descriptor& d, query call, const char* what) {
  std::error_code ec;
  const address found = ask(d, call, ec);
  if (ec) throw std::system_error(ec, what);
  return found;
}

}  // namespace

address socket_base::local_address() const { return ask(handle, ::getsockname, "weft: getsockname"); }
address socket_base::local_address(std::error_code& ec) const noexcept { return ask(handle, ::getsockname, ec); }
address socket_base::remote_address() const { return ask(handle, ::getpeername, "weft: getpeername"); }
address socket_base::remote_address(std::error_code& ec) const noexcept { return ask(handle, ::getpeername, ec); }

bool socket_base::wait_readable(deadline by) {
  return detail::checked(io::await(handle, fd::direction::read, by), "weft: wait_readable") != 0;
}
bool socket_base::wait_writable(deadline by) {
  return detail::checked(io::await(handle, fd::direction::write, by), "weft: wait_writable") != 0;
}

void socket_base::set_raw(int level, int name, const void* value, unsigned size, std::error_code& ec) noexcept {
  detail::reported(
      io::call_now(handle, [&](int fd) -> detail::io_result { return ::setsockopt(fd, level, name, value, size); }),
      ec);
}

void socket_base::get_raw(int level, int name, void* value, unsigned size, std::error_code& ec) const noexcept {
  detail::reported(
      io::call_now(handle, [&](int fd) -> detail::io_result { return ::getsockopt(fd, level, name, value, &size); }),
      ec);
}

}  // namespace weft
