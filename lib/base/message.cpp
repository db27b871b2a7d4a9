// SPDX-License-Identifier: MIT
#include "base/message.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include "base/syscall.hpp"

namespace weft::base {
namespace {

// Constant initialised: a message may be written before any constructor of this library has run.
struct destination {
  int log_fd = -1;
  bool stderr_was_open = true;
  dev_t log_device = 0;
  ino_t log_inode = 0;
};
constinit destination to;

constexpr std::size_t kernel_sigset_size = 8;
constexpr std::uint64_t sigpipe_bit = std::uint64_t{1} << (SIGPIPE - 1);

bool status(int fd, struct stat& into) noexcept { return raw_syscall(SYS_fstat, fd, &into) == 0; }

// A write to a pipe without a reader raises SIGPIPE in the calling thread, which would kill a program that wrote nothing
// itself. As pselect(2)'s users do: block it, write, take back the one we caused, unblock.
long write_quietly(int fd, const iovec* parts, int count) noexcept {
  std::uint64_t before = 0;
  std::uint64_t pending = 0;
  raw_syscall(SYS_rt_sigprocmask, SIG_BLOCK, &sigpipe_bit, &before, kernel_sigset_size);
  raw_syscall(SYS_rt_sigpending, &pending, kernel_sigset_size);
  long result = 0;
  do {
    result = raw_syscall(SYS_writev, fd, parts, count);
  } while (result == -EINTR);
  if (result == -EPIPE && (pending & sigpipe_bit) == 0) {
    const timespec at_once{};
    raw_syscall(SYS_rt_sigtimedwait, &sigpipe_bit, nullptr, &at_once, kernel_sigset_size);
  }
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, kernel_sigset_size);
  return result;
}

long open_append(const char* path) noexcept {
  return raw_syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
}

// Near the limit, but not so far up that the kernel's descriptor table grows by more than a few pages.
long move_high(long fd) noexcept {
  rlimit limit{};
  long least = 3;
  if (raw_syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit) == 0) {
    least = std::max<long>(3, static_cast<long>(std::min<rlim_t>(limit.rlim_cur, 1024)) - 8);
  }
  const long high = raw_syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, least);
  if (high < 0) return fd;
  raw_syscall(SYS_close, fd);
  return high;
}

// The descriptor to write to, or -1 where nobody should be written to.
int current_fd() noexcept {
  struct stat now;
  if (to.log_fd >= 0) {
    const bool ours = status(to.log_fd, now) && now.st_dev == to.log_device && now.st_ino == to.log_inode;
    return ours ? to.log_fd : -1;
  }
  return to.stderr_was_open && status(STDERR_FILENO, now) && !S_ISSOCK(now.st_mode) ? STDERR_FILENO : -1;
}

iovec part(std::string_view from) noexcept { return {const_cast<char*>(from.data()), from.size()}; }

}  // namespace

bool open_messages(const char* log_file) noexcept {
  struct stat now;
  to.stderr_was_open = status(STDERR_FILENO, now);
  to.log_fd = -1;
  if (log_file == nullptr || *log_file == '\0') return true;
  const long fd = open_append(log_file);
  if (is_error(fd)) {
    message complaint;
    complaint << "cannot open the log " << log_file << " (error " << -fd << "); messages go to standard error";
    say(complaint);
    return false;
  }
  to.log_fd = static_cast<int>(move_high(fd));
  if (status(to.log_fd, now)) {
    to.log_device = now.st_dev;
    to.log_inode = now.st_ino;
  }
  return true;
}

void say(std::string_view line) noexcept {
  const int fd = current_fd();
  if (fd < 0) return;
  fixed_text<32> prefix;
  prefix << "weft[" << raw_syscall(SYS_getpid) << "]: ";
  const iovec parts[] = {part(prefix.view()), part(line), part("\n")};
  write_quietly(fd, parts, 3);
}

void write_block(std::string_view block) noexcept {
  const int fd = current_fd();
  if (fd < 0) return;
  const iovec parts[] = {part(block)};
  write_quietly(fd, parts, 1);
}

long append_block(const char* path, std::string_view block) noexcept {
  const long fd = open_append(path);
  if (is_error(fd)) return fd;
  const iovec parts[] = {part(block)};
  const long result = write_quietly(static_cast<int>(fd), parts, 1);
  raw_syscall(SYS_close, fd);
  return std::min(result, 0L);
}

int message_fd() noexcept { return to.log_fd; }

}  // namespace weft::base
