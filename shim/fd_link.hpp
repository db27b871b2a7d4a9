// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "base/syscall.hpp"
#include "base/text.hpp"

namespace weft::shim {

/// What /proc says that descriptor @p fd, a number or its digits, stands for, cut to @p room; empty if it cannot be read.
template <class Number>
std::string_view read_fd_link(Number fd, char* room, std::size_t size) noexcept {
  base::fixed_text<40> path;
  path << "/proc/self/fd/" << fd << '\0';
  const long length = base::raw_syscall(SYS_readlink, path.view().data(), room, size);
  return {room, base::is_error(length) ? 0 : static_cast<std::size_t>(length)};
}

}  // namespace weft::shim
