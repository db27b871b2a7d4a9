// SPDX-License-Identifier: MIT
// Fibers' numbers in paths below /proc/self/task: the kernel does not know them.
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <cstring>

#include "shim/file.hpp"
#include "shim/identity.hpp"
#include "shim/thread.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

constexpr std::size_t longest = 64;
constexpr int lowest_kept = 500;  // out of the way of the program's own numbers

// Reads a short path of the program's; false if it is longer, or not readable (the kernel will say so).
bool read_path(const char* user, char (&path)[longest]) noexcept {
  for (std::size_t i = 0; i < longest; ++i) {
    if (!weft_user_copy(&path[i], user + i, 1)) return false;
    if (path[i] == 0) return true;
  }
  return false;
}

bool skip(const char*& at, const char* prefix) noexcept {
  const std::size_t n = std::strlen(prefix);
  if (std::strncmp(at, prefix, n) != 0) return false;
  at += n;
  return true;
}

bool skip_number(const char*& at, long& number) noexcept {
  number = 0;
  const char* const from = at;
  for (; *at >= '0' && *at <= '9' && number < 1L << 31; ++at) number = number * 10 + (*at - '0');
  return at != from;
}

// The thread and file of "/proc/{self,PID}/task/TID/FILE", if TID is a fiber's.
thread* task_file(const char* path, const char*& file) noexcept {
  const char* at = path;
  if (!skip(at, "/proc/")) return nullptr;
  long pid;
  if (!skip(at, "self") && !skip(at, "thread-self")) {
    if (!skip_number(at, pid) || pid != base::raw_syscall(SYS_getpid)) return nullptr;
  }
  long tid;
  if (!skip(at, "/task/") || !skip_number(at, tid) || *at != '/') return nullptr;
  file = at + 1;
  return find_thread(static_cast<int>(tid));
}

// The comm file of a fiber (pthread_setname_np and pthread_getname_np of another thread go by it, nptl/pthread_setname.c): a
// file in memory that holds the name. What is written to it is looked at when the name is asked for the next time.
long open_comm(thread& t, int flags) noexcept {
  refresh_name(t);
  const long fd = base::raw_syscall(SYS_memfd_create, "comm", (flags & O_CLOEXEC) != 0 ? MFD_CLOEXEC : 0U);
  if (base::is_error(fd)) return fd;
  if ((flags & O_ACCMODE) == O_RDONLY) {
    char line[sizeof t.name + 1];
    const std::size_t n = strnlen(t.name, sizeof t.name - 1);
    std::memcpy(line, t.name, n);
    line[n] = '\n';
    base::raw_syscall(SYS_pwrite64, fd, line, n + 1, 0);
    return fd;
  }
  const long kept = base::raw_syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, lowest_kept);
  if (!base::is_error(kept)) {
    forget_comm(t);
    t.comm_fd = static_cast<int>(kept);
  }
  return fd;
}

long open_any(call& c, const char* user_path, int flags) noexcept {
  char path[longest];
  const char* file;
  // Almost every path differs from /proc in its second byte.
  if (!read_path(user_path, path) || path[0] != '/' || path[1] != 'p') return open_file(c);
  thread* t = task_file(path, file);
  if (t == nullptr || t->is_main) return open_file(c);
  if (std::strcmp(file, "comm") == 0) return open_comm(*t, flags);
  return -ENOENT;
}

}  // namespace

void refresh_name(thread& t) noexcept {
  if (t.comm_fd < 0) return;
  char written[sizeof t.name] = {};
  const long n = base::raw_syscall(SYS_pread64, t.comm_fd, written, sizeof written - 1, 0);
  if (n > 0) std::memcpy(t.name, written, sizeof written);
}

void forget_comm(thread& t) noexcept {
  if (t.comm_fd >= 0) base::raw_syscall(SYS_close, t.comm_fd);
  t.comm_fd = -1;
}

long sys_openat(call& c) noexcept { return open_any(c, c.arg<const char*>(1), c.arg<int>(2)); }
long sys_open(call& c) noexcept { return open_any(c, c.arg<const char*>(0), c.arg<int>(1)); }

}  // namespace weft::shim
