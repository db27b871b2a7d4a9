// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <span>

#include "weft/buffer.hpp"

namespace weft::io {

/// A sequence of buffers as system calls want it, on the stack: as many of them as one call takes.
class io_vector {
 public:
  template <class Buffer>
  explicit io_vector(std::span<const Buffer> buffers) noexcept {
    for (const Buffer& b : buffers) {
      if (count_ == most) break;
      if (b.size() == 0) continue;
      // The kernel only reads what is written from.
      entries_[count_++] = {const_cast<void*>(static_cast<const void*>(b.data())), b.size()};
      bytes_ += b.size();
    }
    message_.msg_iov = entries_;
    message_.msg_iovlen = count_;
  }
  io_vector(const io_vector&) = delete;
  io_vector& operator=(const io_vector&) = delete;

  msghdr* message() noexcept { return &message_; }
  const iovec* entries() const noexcept { return entries_; }
  int count() const noexcept { return static_cast<int>(count_); }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  static constexpr std::size_t most = 64;
  iovec entries_[most];
  msghdr message_{};
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace weft::io
