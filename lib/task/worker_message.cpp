// SPDX-License-Identifier: MIT
#include "task/worker_message.hpp"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <chrono>

namespace weft::tasks {

namespace {

// Milliseconds for poll, rounded up: never before the deadline.
int poll_time(deadline by) noexcept {
  if (by.is_never()) return -1;
  const auto now = deadline::clock::now().time_since_epoch();
  const auto left = std::chrono::nanoseconds(by.ns()) - std::chrono::duration_cast<std::chrono::nanoseconds>(now);
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 1'000'000'000));
}

message_end receive_exactly(int fd, char* to, std::size_t size, deadline by) noexcept {
  while (size != 0) {
    if (!by.is_never()) {
      pollfd one{fd, POLLIN, 0};
      const int ready = poll(&one, 1, poll_time(by));
      if (ready == 0) return message_end::late;
      if (ready < 0 && errno != EINTR) return message_end::closed;
      if (ready < 0) continue;
    }
    const ssize_t n = recv(fd, to, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return message_end::closed;
    to += n;
    size -= static_cast<std::size_t>(n);
  }
  return message_end::complete;
}

}  // namespace

std::uint64_t name_check(const char* name) noexcept {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (; *name != 0; ++name) hash = (hash ^ static_cast<unsigned char>(*name)) * 1099511628211U;
  return hash;
}

bool send_message(int fd, worker_header header, const std::string& body) noexcept {
  header.length = body.size();
  iovec parts[2] = {{&header, sizeof header}, {const_cast<char*>(body.data()), body.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  std::size_t left = sizeof header + body.size();
  while (left != 0) {
    const ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    left -= static_cast<std::size_t>(n);
    std::size_t sent = static_cast<std::size_t>(n);
    for (iovec& part : parts) {
      const std::size_t of_this = std::min(sent, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + of_this;
      part.iov_len -= of_this;
      sent -= of_this;
    }
  }
  return true;
}

message_end receive_message(int fd, worker_header& header, std::string& body, std::size_t most, deadline by) {
  message_end end = receive_exactly(fd, reinterpret_cast<char*>(&header), sizeof header, by);
  if (end != message_end::complete) return end;
  if (header.length > most) return message_end::too_long;
  body.resize(header.length);
  return receive_exactly(fd, body.data(), body.size(), by);
}

}  // namespace weft::tasks
