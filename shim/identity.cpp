// SPDX-License-Identifier: MIT
#include "shim/identity.hpp"

#include <errno.h>
#include <linux/futex.h>
#include <linux/rseq.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstring>

#include "core/hub.hpp"
#include "shim/thread.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

constexpr int ioprio_who_process = 1;  // <linux/ioprio.h> of Debian's 6.1.192 is not C++

// The kernel's thread that stands for @p tid where it asks about scheduling: fibers share their carrier's.
long carrier_of(const thread& t) noexcept { return t.home->kernel_tid.load(std::memory_order_relaxed); }

bool has_affinity(const thread& t) noexcept {
  return std::any_of(std::begin(t.affinity), std::end(t.affinity), [](std::uint64_t word) { return word != 0; });
}

// A thread that the call names by number: 0 is the caller. nullptr: not a fiber of ours, the kernel knows.
thread* named(unsigned long id) noexcept {
  return static_cast<int>(id) == 0 ? &self() : find_thread(static_cast<int>(id));
}

}  // namespace

void adopt_identity(thread& main) noexcept {
  main.robust = nullptr;
  base::raw_syscall(SYS_get_robust_list, 0, &main.robust, &main.robust_size);
  base::raw_syscall(SYS_prctl, PR_GET_NAME, main.name);
  std::memset(main.affinity, 0, sizeof main.affinity);
}

void inherit_identity(thread& child, const thread& creator) noexcept {
  std::memcpy(child.name, creator.name, sizeof child.name);
  child.comm_fd = -1;
  std::memcpy(child.affinity, creator.affinity, sizeof child.affinity);
}

void disown_rseq(void* area) noexcept {
  // The two words that every version of the area begins with (include/uapi/linux/rseq.h).
  struct {
    std::uint32_t cpu_id_start;
    std::uint32_t cpu_id;
  } const words = {0, static_cast<std::uint32_t>(RSEQ_CPU_ID_REGISTRATION_FAILED)};
  weft_user_copy(area, &words, sizeof words);
}

long sys_gettid(call&) noexcept { return self().tid; }

long sys_set_tid_address(call& c) noexcept {
  self().clear_tid = c.arg<int*>(0);
  return self().tid;
}

long sys_set_robust_list(call& c) noexcept {
  if (c.args[1] != sizeof(::robust_list_head)) return -EINVAL;
  self().robust = c.arg<::robust_list_head*>(0);
  self().robust_size = c.args[1];
  return 0;
}

long sys_get_robust_list(call& c) noexcept {
  const thread* t = named(c.args[0]);
  if (t == nullptr) return pass(c);
  ::robust_list_head* const head = t->robust;
  const std::size_t size = sizeof(::robust_list_head);
  return copy_out(c.arg<void*>(2), size) && copy_out(c.arg<void*>(1), head) ? 0 : -EFAULT;
}

long sys_rseq(call& c) noexcept {
  // Success is reported since libc takes failure for fatal; unregistering (flag 1) has nothing to undo.
  if ((c.args[2] & RSEQ_FLAG_UNREGISTER) == 0) disown_rseq(c.arg<void*>(0));
  return 0;
}

long sys_sched_setaffinity(call& c) noexcept {
  thread* t = named(c.args[0]);
  if (t == nullptr) return pass(c);
  // The kernel checks the mask against the machine; the carrier's own affinity must stay, it runs others too.
  std::uint64_t wanted[16] = {};
  const std::size_t bytes = std::min<std::size_t>(c.args[1], sizeof wanted);
  if (!weft_user_copy(wanted, c.arg<void*>(2), bytes)) return -EFAULT;
  std::uint64_t possible[16] = {};
  const long n = base::raw_syscall(SYS_sched_getaffinity, carrier_of(*t), sizeof possible, possible);
  if (base::is_error(n)) return n;
  bool any = false;
  for (int i = 0; i < 16; ++i) {
    wanted[i] &= possible[i];
    any = any || wanted[i] != 0;
  }
  if (!any) return -EINVAL;
  std::memcpy(t->affinity, wanted, sizeof wanted);
  return 0;
}

long sys_sched_getaffinity(call& c) noexcept {
  const thread* t = named(c.args[0]);
  if (t == nullptr) return pass(c);
  call to = c;
  to.args[0] = static_cast<unsigned long>(carrier_of(*t));
  const long n = pass(to);
  if (base::is_error(n) || !has_affinity(*t)) return n;
  const auto bytes = std::min(static_cast<std::size_t>(n), sizeof t->affinity);
  return weft_user_copy(c.arg<void*>(2), t->affinity, bytes) ? n : -EFAULT;
}

long sys_of_thread(call& c) noexcept {
  const thread* t = named(c.args[0]);
  if (t == nullptr) return pass(c);
  call to = c;
  to.args[0] = static_cast<unsigned long>(carrier_of(*t));
  return pass(to);
}

long sys_priority(call& c) noexcept {
  const bool of_io = c.nr == SYS_ioprio_set || c.nr == SYS_ioprio_get;
  const int one_thread = of_io ? ioprio_who_process : int{PRIO_PROCESS};
  const thread* t = static_cast<int>(c.args[0]) == one_thread ? named(c.args[1]) : nullptr;
  if (t == nullptr) return pass(c);
  call to = c;
  to.args[1] = static_cast<unsigned long>(carrier_of(*t));
  return pass(to);
}

long sys_prctl(call& c) noexcept {
  thread& me = self();
  switch (static_cast<int>(c.args[0])) {
    case PR_SET_NAME: {
      char name[sizeof me.name] = {};
      // As strncpy_from_user: up to the terminating zero, never beyond it.
      for (unsigned i = 0; i + 1 < sizeof name; ++i) {
        if (!weft_user_copy(&name[i], c.arg<const char*>(1) + i, 1)) return -EFAULT;
        if (name[i] == 0) break;
      }
      forget_comm(me);
      std::memcpy(me.name, name, sizeof name);
      return me.is_main ? pass(c) : 0;
    }
    case PR_GET_NAME:
      refresh_name(me);
      return weft_user_copy(c.arg<void*>(1), me.name, sizeof me.name) ? 0 : -EFAULT;
    case PR_GET_TID_ADDRESS: {
      // A kernel may be built without; where it knows it, it knows the carrier's.
      const long known = pass(c);
      return known == 0 && !me.is_main && !copy_out(c.arg<void*>(1), me.clear_tid) ? -EFAULT : known;
    }
    default:
      return pass(c);
  }
}

}  // namespace weft::shim
