// SPDX-License-Identifier: MIT
#include "io/child.hpp"

#include <errno.h>
#include <sys/wait.h>

#include "base/syscall.hpp"
#include "loop/loop.hpp"

namespace weft::detail {

int open_pidfd(pid_t pid) noexcept {
  return loop::move_high(static_cast<int>(base::raw_syscall(SYS_pidfd_open, pid, 0)));
}

bool reap(pid_t pid, exit_status& status) noexcept {
  int word = 0;
  long result;
  do {
    result = base::raw_syscall(SYS_wait4, pid, &word, WNOHANG, nullptr);
  } while (result == -EINTR);
  if (result == 0) return false;
  status = result == pid ? exit_status::from_wait(word) : exit_status();
  return true;
}

}  // namespace weft::detail
