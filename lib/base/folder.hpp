// SPDX-License-Identifier: MIT
#pragma once

#include <dirent.h>
#include <fcntl.h>

#include "base/syscall.hpp"

namespace weft::base {

/// Calls visit(descriptor of the folder, name) for each entry of @p path whose name has no dot ahead, until it says false.
/// @return false if the folder cannot be opened
template <class Visit>
bool for_each_entry(const char* path, Visit visit) {
  const long folder = raw_syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (is_error(folder)) return false;
  alignas(dirent64) char entries[2048];
  bool more = true;
  for (long size; more && (size = raw_syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0;) {
    for (long at = 0; more && at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries + at);
      at += entry->d_reclen;
      const char* const name = static_cast<const char*>(entry->d_name);
      if (name[0] != '.') more = visit(static_cast<int>(folder), name);
    }
  }
  raw_syscall(SYS_close, folder);
  return true;
}

}  // namespace weft::base
