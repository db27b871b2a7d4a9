// SPDX-License-Identifier: MIT
#include "shim/other_threads.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/folder.hpp"
#include "base/syscall.hpp"

namespace weft::shim {

namespace {

/// The last word of /proc/self/task/TID/syscall is the address behind the system call that the thread is in; for a thread that runs,
/// the file says "running" (proc(5)).
bool place_of(int directory, const char* tid, std::uint64_t& place) {
  long of_thread = base::raw_syscall(SYS_openat, directory, tid, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (base::is_error(of_thread)) return false;
  long fd = base::raw_syscall(SYS_openat, of_thread, "syscall", O_RDONLY | O_CLOEXEC, 0);
  base::raw_syscall(SYS_close, of_thread);
  if (base::is_error(fd)) return false;
  char text[256];
  long size = base::raw_syscall(SYS_read, fd, text, sizeof text);
  base::raw_syscall(SYS_close, fd);
  if (size <= 0) return false;
  long start = size;
  while (start > 0 && text[start - 1] != ' ') --start;
  if (start == 0) return false;
  place = 0;
  for (long i = start + 2; i < size; ++i) {  // behind "0x"
    char c = text[i];
    if (c >= '0' && c <= '9') {
      place = place * 16 + static_cast<std::uint64_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      place = place * 16 + static_cast<std::uint64_t>(c - 'a' + 10);
    }
  }
  return true;
}

}  // namespace

other_threads::other_threads() {
  struct stat task;
  // A directory has a link for each directory in it, besides two of its own.
  if (base::is_error(base::raw_syscall(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &task, 0))) return;
  any_ = task.st_nlink > 3;
  if (any_) list();
}

void other_threads::list() {
  const bool seen = base::for_each_entry("/proc/self/task", [this](int folder, const char* tid) {
    std::uint64_t place;
    if (!place_of(folder, tid, place)) return true;
    if (count_ == max_places) {
      all_listed_ = false;
    } else {
      places_[count_++] = place;
    }
    return true;
  });
  if (!seen) all_listed_ = false;
}

bool other_threads::returns_to(std::uint64_t address) const {
  for (unsigned i = 0; i < count_; ++i) {
    if (places_[i] == address) return true;
  }
  return !all_listed_;
}

}  // namespace weft::shim
