// SPDX-License-Identifier: MIT
#pragma once

#include <sys/uio.h>

#include "shim/user_memory.hpp"

namespace weft::shim {

inline constexpr unsigned long max_vectors = 1024;  // UIO_MAXIOV

/// A window on the program's iovec array, from some byte on.
struct vector_window {
  static constexpr unsigned room = 8;
  iovec parts[room];
  unsigned count = 0;
  unsigned long bytes = 0;

  /// Takes in up to `room` non-empty parts behind the first @p skip bytes of the array. false: EFAULT.
  bool fill(const iovec* from, unsigned long vectors, unsigned long skip) noexcept {
    count = 0;
    bytes = 0;
    for (unsigned long i = 0; i < vectors && count < room; ++i) {
      iovec part;
      if (!copy_in(part, from + i)) return false;
      if (part.iov_len <= skip) {
        skip -= part.iov_len;
        continue;
      }
      parts[count++] = {static_cast<char*>(part.iov_base) + skip, part.iov_len - skip};
      bytes += part.iov_len - skip;
      skip = 0;
    }
    return true;
  }
};

/// The bytes that the array stands for. false: EFAULT.
inline bool sum_vectors(const iovec* from, unsigned long vectors, unsigned long& total) noexcept {
  total = 0;
  for (unsigned long i = 0; i < vectors; ++i) {
    iovec part;
    if (!copy_in(part, from + i)) return false;
    total += part.iov_len;
  }
  return true;
}

}  // namespace weft::shim
