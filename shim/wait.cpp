// SPDX-License-Identifier: MIT
// Waiting for children: a look without waiting, then a wait for the child's pidfd or, where no descriptor can say it (any
// child, a group, stopped ones), a helper thread that waits without reaping.
#include <errno.h>
#include <sys/wait.h>

#include "core/scheduler.hpp"
#include "fd/watch.hpp"
#include "loop/loop.hpp"
#include "shim/helper.hpp"
#include "shim/process.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

// Waits for the end of one child by its pidfd (pidfd_open(2): readable when the process terminates).
// @return false where there is no pidfd to be had
bool wait_for_end(int pid, long& result) noexcept {
  const long made = base::raw_syscall(SYS_pidfd_open, pid, 0);
  if (base::is_error(made)) return false;
  const int fd = loop::move_high(static_cast<int>(made));
  const fd::outcome ended = fd::wait_fd(fd, fd::direction::read, core::timers::never, /*interruptible=*/true);
  fd::before_close(fd);
  base::raw_syscall(SYS_close, fd);
  fd::after_close(fd);
  result = ended == fd::outcome::interrupted ? restart_sys : 0;
  return true;
}

// Waits, reaping nobody, until a look may succeed. `id_type`, `id` and `options` as waitid(2) has them.
// @return 0, or what the call returns
long wait_for_child(int id_type, int id, int options) noexcept {
  long ended;
  if (id_type == P_PID && (options & (WSTOPPED | WCONTINUED)) == 0 && wait_for_end(id, ended)) return ended;
  call waiting{SYS_waitid,
               {static_cast<unsigned long>(id_type), static_cast<unsigned long>(static_cast<unsigned>(id)), 0,
                static_cast<unsigned long>(options | WNOWAIT), 0, 0},
               nullptr};
  const long result = offload(waiting);
  return base::is_error(result) || result <= restart_sys ? result : 0;
}

}  // namespace

long sys_wait4(call& c) noexcept {
  const auto options = c.arg<int>(2);
  const auto pid = static_cast<int>(c.args[0]);
  call look = c;
  look.args[2] |= WNOHANG;
  for (;;) {
    const long result = pass(look);
    if (result != 0 || (options & WNOHANG) != 0) return result;
    const int id_type = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
    const int id = pid == -1 || pid == 0 ? 0 : pid > 0 ? pid : -pid;
    constexpr unsigned kept = WUNTRACED | WCONTINUED | __WALL | __WCLONE | __WNOTHREAD;
    const int wanted = static_cast<int>(WEXITED | (static_cast<unsigned>(options) & kept));
    const long waited = wait_for_child(id_type, id, wanted);
    if (waited != 0) return waited;
  }
}

long sys_waitid(call& c) noexcept {
  const auto options = c.arg<int>(3);
  if ((options & WNOHANG) != 0) return pass(c);
  // With WNOHANG and no child in the wanted state the call succeeds and says so by si_pid 0 alone (waitid(2)): so the look
  // goes into a siginfo of our own.
  siginfo_t info;
  call look = c;
  look.args[2] = reinterpret_cast<unsigned long>(&info);
  look.args[3] |= WNOHANG;
  for (;;) {
    info.si_pid = 0;
    const long result = pass(look);
    if (result != 0) return result;
    if (info.si_pid != 0) {
      // The kernel fills the first six words alone (kernel/exit.c).
      const bool written = c.args[2] == 0 || weft_user_copy(c.arg<void*>(2), &info, 7 * sizeof(int));
      return written ? 0 : -EFAULT;
    }
    const long waited = wait_for_child(c.arg<int>(0), static_cast<int>(c.args[1]), options & ~WNOWAIT);
    if (waited != 0) return waited;
  }
}

}  // namespace weft::shim
