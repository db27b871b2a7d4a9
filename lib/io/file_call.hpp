// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstdint>

#include "weft/deadline.hpp"
#include "weft/detail/descriptor.hpp"

struct statx;

namespace weft::io {

using detail::io_result;

/// One system call on a file that may hold its thread for long. What it points to belongs to the fiber that waits for it.
struct file_call {
  enum class kind : std::uint8_t { open, read, write, sync, sync_data, status, truncate };
  kind what;
  int fd = -1;
  const char* path = nullptr;
  int flags = 0;
  mode_t mode = 0;
  const iovec* places = nullptr;
  int count = 0;
  std::uint64_t offset = 0;  // of truncate: the length
  struct statx* status = nullptr;
};

/// Has @p c done without holding the hub. When it returns or throws nobody uses what @p c points to any more.
/// @return the call's result, -errno, or a failure that `error_of` understands
/// @throws cancelled
io_result perform(const file_call& c, deadline by);

}  // namespace weft::io
