// SPDX-License-Identifier: MIT
// Calls that wait for something no descriptor tells of: one try that does not wait, then an OS thread that does.
#include "shim/file.hpp"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <time.h>

#include "shim/helper.hpp"
#include "shim/user_memory.hpp"
#include "shim/user_time.hpp"

namespace weft::shim {

namespace {

// Whether opening may wait for the other end of a FIFO (fifo(7)).
bool waits_for_peer(int folder, const char* path, std::uint64_t flags) noexcept {
  if ((flags & (O_NONBLOCK | O_DIRECTORY | O_PATH)) != 0 || (flags & O_ACCMODE) == O_RDWR) return false;
  if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) return false;
  struct stat st;
  const int how = (flags & O_NOFOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0;
  return base::raw_syscall(SYS_newfstatat, folder, path, &st, how) == 0 && S_ISFIFO(st.st_mode);
}

// These calls are never made again behind a handler, whatever its SA_RESTART says (signal(7)).
long never_again(long result) noexcept { return result == restart_sys ? restart_nohand : result; }

}  // namespace

long open_file(call& c) noexcept {
  bool waits = false;
  switch (c.nr) {
    case SYS_open:
      waits = waits_for_peer(AT_FDCWD, c.arg<const char*>(0), c.args[1]);
      break;
    case SYS_creat:
      waits = waits_for_peer(AT_FDCWD, c.arg<const char*>(0), O_WRONLY);
      break;
    case SYS_openat:
      waits = waits_for_peer(c.fd(), c.arg<const char*>(1), c.args[2]);
      break;
    case SYS_openat2: {
      std::uint64_t flags;
      waits = c.args[3] >= sizeof(open_how) && copy_in(flags, c.arg<const void*>(2)) &&
              waits_for_peer(c.fd(), c.arg<const char*>(1), flags);
      break;
    }
    default:
      break;
  }
  return waits ? offload(c) : pass(c);
}

long sys_creat(call& c) noexcept { return open_file(c); }
long sys_openat2(call& c) noexcept { return open_file(c); }

long sys_flock(call& c) noexcept {
  call now = c;
  now.args[1] |= LOCK_NB;
  const long result = pass(now);
  return result == -EWOULDBLOCK && (c.args[1] & LOCK_NB) == 0 ? offload(c) : result;
}

long sys_msg(call& c) noexcept {
  const unsigned flags_at = c.nr == SYS_msgrcv ? 4 : 3;
  call now = c;
  now.args[flags_at] |= IPC_NOWAIT;
  const long result = pass(now);
  const bool would_wait = result == (c.nr == SYS_msgrcv ? -ENOMSG : -EAGAIN);
  return would_wait && (c.args[flags_at] & IPC_NOWAIT) == 0 ? never_again(offload(c)) : result;
}

long sys_semop(call& c) noexcept {
  constexpr unsigned long few = 16;
  sembuf operations[few];
  const unsigned long count = c.args[2];
  if (count == 0 || count > few) return count == 0 ? pass(c) : never_again(offload(c));
  if (!weft_user_copy(operations, c.arg<const void*>(1), count * sizeof(sembuf))) return -EFAULT;
  bool waits = false;
  for (unsigned long i = 0; i < count; ++i) {
    waits = waits || (operations[i].sem_flg & IPC_NOWAIT) == 0;
    operations[i].sem_flg = static_cast<short>(operations[i].sem_flg | IPC_NOWAIT);
  }
  if (!waits) return pass(c);
  // With semtimedop's time-out, which may be a bad one.
  const long result = base::raw_syscall(c.nr, c.args[0], operations, count, c.args[3]);
  return result == -EAGAIN ? never_again(offload(c)) : result;
}

long sys_mq(call& c) noexcept {
  timespec until;
  if (const auto* user = c.arg<const timespec*>(4); user != nullptr) {
    if (const long error = copy_in_time(until, user)) return error;
  }
  // A time-out that has passed means: do not wait, and say so (mq_overview(7)).
  constexpr timespec passed{0, 0};
  call now = c;
  now.args[4] = reinterpret_cast<unsigned long>(&passed);
  const long result = pass(now);
  return result == -ETIMEDOUT ? offload(c) : result;
}

}  // namespace weft::shim
