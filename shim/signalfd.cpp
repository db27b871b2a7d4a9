// SPDX-License-Identifier: MIT
#include "shim/signalfd.hpp"

#include <dirent.h>
#include <fcntl.h>

#include <string_view>

#include "base/syscall.hpp"
#include "base/text.hpp"
#include "base/words.hpp"
#include "shim/dispatch.hpp"
#include "shim/signals.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

constinit std::atomic<signal_set> told{0};

long make(call& c) noexcept {
  const long fd = pass(c);
  signal_set set;
  if (!base::is_error(fd) && copy_in(set, c.arg<const void*>(1))) told.fetch_or(set, std::memory_order_relaxed);
  return fd;
}

signal_set hex_number(std::string_view digits) noexcept {
  signal_set number = 0;
  for (const char c : digits) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) break;
    number = number * 16 + static_cast<signal_set>(digit);
  }
  return number;
}

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
  return at == std::string_view::npos ? 0 : hex_number(base::tail(all, at + label.size()));
}

bool is_signalfd(std::string_view number) noexcept {
  base::fixed_text<40> path;
  path << "/proc/self/fd/" << number << '\0';
  char target[40];
  const long length = base::raw_syscall(SYS_readlink, path.view().data(), target, sizeof target);
  return !base::is_error(length) &&
         std::string_view(target, static_cast<std::size_t>(length)) == "anon_inode:[signalfd]";
}

}  // namespace

bool has_signalfd(int sig) noexcept { return (told.load(std::memory_order_relaxed) & signal_bit(sig)) != 0; }

void adopt_signalfds() noexcept {
  const long folder = base::raw_syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (base::is_error(folder)) return;
  alignas(dirent64) char entries[2048];
  for (long size; (size = base::raw_syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0;) {
    for (long at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries + at);
      at += entry->d_reclen;
      const char* const name = static_cast<const char*>(entry->d_name);
      if (name[0] != '.' && is_signalfd(name)) told.fetch_or(mask_of(name), std::memory_order_relaxed);
    }
  }
  base::raw_syscall(SYS_close, folder);
}

long sys_signalfd(call& c) noexcept { return make(c); }
long sys_signalfd4(call& c) noexcept { return make(c); }

}  // namespace weft::shim
