// SPDX-License-Identifier: MIT
#include "io/socket_call.hpp"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>

#include "weft/fiber.hpp"

namespace weft::io {

using fd::direction;

int make_socket(int family, int type, int protocol) noexcept {
  const int fd = ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0) return -errno;
  note_socket(fd, type);
  return fd;
}

int set_nonblocking(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  if ((flags & O_NONBLOCK) == 0 && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
  return 0;
}

int adopt_socket(int fd, int type) noexcept {
  int found = 0;
  socklen_t size = sizeof found;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &found, &size) != 0) return -errno;
  // Packets keep their order and arrive once, but apart: the calls of datagrams suit them.
  if (found != type && !(type == SOCK_DGRAM && found != SOCK_STREAM)) return -EPROTOTYPE;
  return set_nonblocking(fd);
}

io_result await(descriptor& d, direction dir, deadline by) {
  if (!d.enter()) return -EBADF;
  pending waiting(d, dir, by);
  if (const io_result failed = waiting.wait()) return failed;
  io_result ready = 1;
  if (waiting.last_try()) {
    // The deadline may have passed before the hub looked at the descriptor.
    pollfd look{d.inside(), static_cast<short>(dir == direction::read ? POLLIN | POLLRDHUP : POLLOUT), 0};
    ready = ::poll(&look, 1, 0) > 0 ? 1 : 0;
  }
  d.leave();
  return ready;
}

namespace {

// A Unix listener whose backlog is full: connect says so at once, and nothing tells when there is room.
io_result connect_again(descriptor& d, const address& to, deadline by) {
  using namespace std::chrono_literals;
  for (deadline::clock::duration pause = 1ms;; pause = std::min<deadline::clock::duration>(pause * 2, 50ms)) {
    const deadline next = std::min(deadline(pause), by);
    this_fiber::sleep_until(next);
    const io_result result = call_now(d, [&](int fd) { return ::connect(fd, to.data(), to.size()); });
    if (result != -EAGAIN) return result;
    if (next == by) return failed_with(io_errc::timed_out);
  }
}

}  // namespace

io_result connect_to(descriptor& d, const address& to, deadline by) {
  if (!d.enter()) return -EBADF;
  const int result = ::connect(d.inside(), to.data(), to.size());
  // A signal does not stop a connect that has begun (connect(2)).
  if (result == 0 || (errno != EINPROGRESS && errno != EINTR)) {
    const int error = result == 0 ? 0 : errno;
    d.leave();
    return error == EAGAIN && to.is_unix() ? connect_again(d, to, by) : -error;
  }
  pending waiting(d, direction::write, by);
  for (;;) {
    if (const io_result failed = waiting.wait()) return failed;
    pollfd look{d.inside(), POLLOUT, 0};
    if (::poll(&look, 1, 0) == 0) continue;
    int outcome = 0;
    socklen_t size = sizeof outcome;
    if (::getsockopt(d.inside(), SOL_SOCKET, SO_ERROR, &outcome, &size) != 0) outcome = errno;
    d.leave();
    return -outcome;
  }
}

}  // namespace weft::io
