// SPDX-License-Identifier: MIT
// Descriptors sent over Unix sockets (SCM_RIGHTS, unix(7)).
#include <cstring>

#include "io/socket_call.hpp"
#include "weft/stream_socket.hpp"

namespace weft {

using detail::io_result;
using fd::direction;

namespace {

constexpr std::size_t most_fds = 253;  // SCM_MAX_FD of the kernel

struct control_room {
  alignas(cmsghdr) std::byte bytes[CMSG_SPACE(most_fds * sizeof(int))];
};

std::vector<unique_fd> take_fds(msghdr& message) {
  std::vector<unique_fd> fds;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

}  // namespace

std::size_t stream_socket::send_fds(const_buffer from, std::span<const int> fds, deadline by) {
  if (from.size() == 0 || fds.size() > most_fds) detail::throw_io(-EINVAL, "weft: send_fds");
  control_room control{};
  iovec bytes{const_cast<void*>(from.data()), from.size()};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(head), fds.data(), fds.size_bytes());
    for (const int fd : fds) fd::note_shared(fd);
  }
  return detail::checked(
      io::operate(handle, direction::write, by, false,
                  [&message](int fd) { return ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL); }),
      "weft: send_fds");
}

stream_socket::received stream_socket::receive_fds(mutable_buffer to, std::size_t most, deadline by) {
  if (to.size() == 0 || most > most_fds) detail::throw_io(-EINVAL, "weft: receive_fds");
  control_room control;
  iovec bytes{to.data(), to.size()};
  msghdr message{};
  const auto attempt = [&](int fd) {
    message = {};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    // Alignment leaves room for one more than asked for: that one is counted below.
    message.msg_controllen = CMSG_SPACE(most * sizeof(int));
    return ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  };
  const io_result n = io::operate(handle, direction::read, by, handle.drained(), attempt);
  received got;
  got.bytes = detail::checked(n, "weft: receive_fds");
  got.fds = take_fds(message);
  handle.note_read(got.bytes != 0 && got.bytes < to.size());
  if ((message.msg_flags & MSG_CTRUNC) != 0 || got.fds.size() > most) {
    detail::throw_io(-EMSGSIZE, "weft: receive_fds: more descriptors than wanted");
  }
  return got;
}

}  // namespace weft
