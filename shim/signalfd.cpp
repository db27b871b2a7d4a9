// SPDX-License-Identifier: MIT
#include "shim/signalfd.hpp"

#include <fcntl.h>

#include <charconv>
#include <string_view>

#include "base/folder.hpp"
#include "base/syscall.hpp"
#include "base/text.hpp"
#include "shim/dispatch.hpp"
#include "shim/fd_link.hpp"
#include "shim/signals.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

constinit std::atomic<signal_set> told{0};

// "sigmask:" and 16 digits, in proc(5)'s fdinfo.
signal_set mask_of(std::string_view number) noexcept {
  constexpr std::string_view label = "sigmask:\t";
  base::fixed_text<40> path;
  path << "/proc/self/fdinfo/" << number << '\0';
  const long fd = base::raw_syscall(SYS_openat, AT_FDCWD, path.view().data(), O_RDONLY | O_CLOEXEC, 0);
  if (base::is_error(fd)) return 0;
  char text[256];
  const long size = base::raw_syscall(SYS_read, fd, text, sizeof text);
  base::raw_syscall(SYS_close, fd);
  const std::string_view all(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  const std::size_t at = all.find(label);
  signal_set mask = 0;
  if (at != std::string_view::npos) std::from_chars(all.data() + at + label.size(), all.data() + all.size(), mask, 16);
  return mask;
}

bool is_signalfd(std::string_view number) noexcept {
  char target[40];
  return read_fd_link(number, target, sizeof target) == "anon_inode:[signalfd]";
}

}  // namespace

bool has_signalfd(int sig) noexcept { return (told.load(std::memory_order_relaxed) & signal_bit(sig)) != 0; }

void adopt_signalfds() noexcept {
  base::for_each_entry("/proc/self/fd", [](int, const char* number) {
    if (is_signalfd(number)) told.fetch_or(mask_of(number), std::memory_order_relaxed);
    return true;
  });
}

long sys_signalfd(call& c) noexcept {
  const long fd = pass(c);
  signal_set set;
  if (!base::is_error(fd) && copy_in(set, c.arg<const void*>(1))) told.fetch_or(set, std::memory_order_relaxed);
  return fd;
}

}  // namespace weft::shim
