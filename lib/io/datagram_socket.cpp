// SPDX-License-Identifier: MIT
#include "weft/datagram_socket.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <array>

#include "io/socket_call.hpp"

namespace weft {

using detail::io_result;
using fd::direction;

namespace {

// Their headers and addresses are 6 KiB of the fiber's stack.
constexpr std::size_t most_at_once = 32;

struct batch {
  std::array<mmsghdr, most_at_once> heads{};
  std::array<iovec, most_at_once> places{};
  std::array<address_room, most_at_once> rooms{};
};

io_result receive_one(detail::descriptor& d, mutable_buffer to, address* from, bool& truncated, deadline by) {
  address_room room;
  iovec place{to.data(), to.size()};
  msghdr head{};
  const io_result n = io::operate(d, direction::read, by, false, [&](int fd) {
    head = {};
    head.msg_iov = &place;
    head.msg_iovlen = 1;
    if (from != nullptr) {
      head.msg_name = room.data();
      head.msg_namelen = *room.size();
    }
    return ::recvmsg(fd, &head, MSG_DONTWAIT);
  });
  truncated = (head.msg_flags & MSG_TRUNC) != 0;
  if (from != nullptr && n >= 0) {
    *room.size() = head.msg_namelen;
    *from = room.get();
  }
  return n;
}

io_result send_one(detail::descriptor& d, const_buffer message, const address* to, deadline by) {
  return io::operate(d, direction::write, by, false, [&](int fd) {
    return ::sendto(fd, message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                    to == nullptr ? nullptr : to->data(), to == nullptr ? 0 : to->size());
  });
}

}  // namespace

datagram_socket::datagram_socket(int fd) {
  if (const int failed = io::adopt_socket(fd, SOCK_DGRAM)) detail::throw_io(failed, "weft: no socket of messages");
  handle = detail::descriptor(fd);
}

datagram_socket datagram_socket::bind(const address& at, bool reuse_port) {
  const int fd = io::make_socket(at.family(), SOCK_DGRAM, 0);
  if (fd < 0) detail::throw_io(fd, "weft: bind");
  datagram_socket s;
  s.handle = detail::descriptor(fd);
  if (reuse_port) s.set(socket_options::reuse_port, true);
  if (::bind(fd, at.data(), at.size()) != 0) {
    throw std::system_error(errno, std::system_category(), "weft: bind to " + at.to_string());
  }
  return s;
}

datagram_socket datagram_socket::connect(const address& to) {
  const int fd = io::make_socket(to.family(), SOCK_DGRAM, 0);
  if (fd < 0) detail::throw_io(fd, "weft: connect");
  datagram_socket s;
  s.handle = detail::descriptor(fd);
  s.connect_to(to);
  return s;
}

std::pair<datagram_socket, datagram_socket> datagram_socket::pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
    detail::throw_io(-errno, "weft: socketpair");
  }
  std::pair<datagram_socket, datagram_socket> both;
  for (const int fd : fds) io::note_socket(fd, SOCK_DGRAM);
  both.first.handle = detail::descriptor(fds[0]);
  both.second.handle = detail::descriptor(fds[1]);
  return both;
}

void datagram_socket::connect_to(const address& to) {
  const io_result result = io::call_now(handle, [&](int fd) { return ::connect(fd, to.data(), to.size()); });
  if (result < 0) throw std::system_error(detail::error_of(result), "weft: connect to " + to.to_string());
}

datagram_socket::received datagram_socket::receive(mutable_buffer to, std::error_code& ec, deadline by) {
  received got;
  got.bytes = detail::reported(receive_one(handle, to, nullptr, got.truncated, by), ec);
  return got;
}
datagram_socket::received datagram_socket::receive(mutable_buffer to, deadline by) {
  received got;
  got.bytes = detail::checked(receive_one(handle, to, nullptr, got.truncated, by), "weft: receive");
  return got;
}
datagram_socket::received datagram_socket::receive_from(mutable_buffer to, address& from, std::error_code& ec,
                                                        deadline by) {
  received got;
  got.bytes = detail::reported(receive_one(handle, to, &from, got.truncated, by), ec);
  return got;
}
datagram_socket::received datagram_socket::receive_from(mutable_buffer to, address& from, deadline by) {
  received got;
  got.bytes = detail::checked(receive_one(handle, to, &from, got.truncated, by), "weft: receive_from");
  return got;
}

void datagram_socket::send(const_buffer message, std::error_code& ec, deadline by) {
  detail::reported(send_one(handle, message, nullptr, by), ec);
}
void datagram_socket::send(const_buffer message, deadline by) {
  detail::checked(send_one(handle, message, nullptr, by), "weft: send");
}
void datagram_socket::send_to(const_buffer message, const address& to, std::error_code& ec, deadline by) {
  detail::reported(send_one(handle, message, &to, by), ec);
}
void datagram_socket::send_to(const_buffer message, const address& to, deadline by) {
  detail::checked(send_one(handle, message, &to, by), "weft: send_to");
}

std::size_t datagram_socket::receive_many(std::span<incoming> into, deadline by) {
  batch b;
  const std::size_t count = std::min(into.size(), most_at_once);
  if (count == 0) return 0;
  const io_result n = io::operate(handle, direction::read, by, false, [&](int fd) {
    for (std::size_t i = 0; i < count; ++i) {
      b.places[i] = {into[i].room.data(), into[i].room.size()};
      b.heads[i] = {};
      b.heads[i].msg_hdr.msg_iov = &b.places[i];
      b.heads[i].msg_hdr.msg_iovlen = 1;
      b.heads[i].msg_hdr.msg_name = b.rooms[i].data();
      b.heads[i].msg_hdr.msg_namelen = *b.rooms[i].size();
    }
    return ::recvmmsg(fd, b.heads.data(), static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
  });
  const std::size_t got = detail::checked(n, "weft: receive_many");
  for (std::size_t i = 0; i < got; ++i) {
    into[i].bytes = b.heads[i].msg_len;
    into[i].truncated = (b.heads[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
    *b.rooms[i].size() = b.heads[i].msg_hdr.msg_namelen;
    into[i].from = b.rooms[i].get();
  }
  return got;
}

std::size_t datagram_socket::send_many(std::span<const outgoing> messages, deadline by) {
  batch b;
  const std::size_t count = std::min(messages.size(), most_at_once);
  if (count == 0) return 0;
  for (std::size_t i = 0; i < count; ++i) {
    const outgoing& m = messages[i];
    b.places[i] = {const_cast<void*>(m.bytes.data()), m.bytes.size()};  // the kernel only reads it
    b.heads[i].msg_hdr.msg_iov = &b.places[i];
    b.heads[i].msg_hdr.msg_iovlen = 1;
    if (m.to.size() != 0) {
      b.heads[i].msg_hdr.msg_name = const_cast<sockaddr*>(m.to.data());
      b.heads[i].msg_hdr.msg_namelen = m.to.size();
    }
  }
  return detail::checked(io::operate(handle, direction::write, by, false,
                                     [&](int fd) {
                                       return ::sendmmsg(fd, b.heads.data(), static_cast<unsigned>(count),
                                                         MSG_DONTWAIT | MSG_NOSIGNAL);
                                     }),
                         "weft: send_many");
}

}  // namespace weft
