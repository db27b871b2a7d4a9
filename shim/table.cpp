// SPDX-License-Identifier: MIT
#include "shim/table.hpp"

#include <array>
#include <atomic>

#include "core/scheduler.hpp"
#include "shim/fd.hpp"
#include "shim/file.hpp"
#include "shim/futex.hpp"
#include "shim/identity.hpp"
#include "shim/io.hpp"
#include "shim/memory.hpp"
#include "shim/poll.hpp"
#include "shim/process.hpp"
#include "shim/ring.hpp"
#include "shim/signal_masks.hpp"
#include "shim/signals.hpp"
#include "shim/thread.hpp"
#include "shim/threads.hpp"
#include "shim/time.hpp"

namespace weft::shim {

namespace {

using group = base::patch_group;

constexpr table_row rows[] = {
    // threads
    {SYS_clone, sys_clone, group::thread},
    {SYS_clone3, sys_clone3, group::thread},
    {SYS_exit, sys_exit, group::thread},
    {SYS_exit_group, sys_exit_group, group::thread},
    {SYS_futex, sys_futex, group::thread},
    {nr_futex_waitv, sys_futex_waitv, group::thread},
    {nr_futex_wait, sys_futex_wait, group::thread},
    {nr_futex_wake, wake_by_futex2, group::thread},
    {nr_futex_requeue, wake_by_futex2, group::thread},
    {SYS_gettid, sys_gettid, group::thread},
    {SYS_set_tid_address, sys_set_tid_address, group::thread},
    {SYS_set_robust_list, sys_set_robust_list, group::thread},
    {SYS_get_robust_list, sys_get_robust_list, group::thread},
    {SYS_rseq, sys_rseq, group::thread},
    {SYS_sched_setaffinity, sys_sched_setaffinity, group::thread},
    {SYS_sched_getaffinity, sys_sched_getaffinity, group::thread},
    {SYS_sched_setparam, sys_of_thread, group::thread},
    {SYS_sched_getparam, sys_of_thread, group::thread},
    {SYS_sched_setscheduler, sys_of_thread, group::thread},
    {SYS_sched_getscheduler, sys_of_thread, group::thread},
    {SYS_sched_rr_get_interval, sys_of_thread, group::thread},
    {SYS_sched_setattr, sys_of_thread, group::thread},
    {SYS_sched_getattr, sys_of_thread, group::thread},
    {SYS_setpriority, sys_priority, group::thread},
    {SYS_getpriority, sys_priority, group::thread},
    {SYS_ioprio_set, sys_priority, group::thread},
    {SYS_ioprio_get, sys_priority, group::thread},
    {SYS_prctl, sys_prctl, group::thread},
    {SYS_openat, sys_openat, group::thread},
    {SYS_open, sys_open, group::thread},
    // processes
    {SYS_fork, sys_fork, group::process},
    {SYS_vfork, sys_vfork, group::process},
    {SYS_execve, sys_exec, group::process},
    {SYS_execveat, sys_exec, group::process},
    {SYS_wait4, sys_wait4, group::process},
    {SYS_waitid, sys_waitid, group::process},
    // signals
    {SYS_rt_sigaction, sys_rt_sigaction, group::signal},
    {SYS_rt_sigprocmask, sys_rt_sigprocmask, group::signal},
    {SYS_rt_sigpending, sys_rt_sigpending, group::signal},
    {SYS_rt_sigtimedwait, sys_rt_sigtimedwait, group::signal},
    {SYS_rt_sigsuspend, sys_rt_sigsuspend, group::signal},
    {SYS_rt_sigqueueinfo, sys_rt_sigqueueinfo, group::signal},
    {SYS_rt_tgsigqueueinfo, sys_rt_tgsigqueueinfo, group::signal},
    {SYS_kill, sys_kill, group::signal},
    {SYS_tkill, sys_tkill, group::signal},
    {SYS_tgkill, sys_tgkill, group::signal},
    {SYS_pause, sys_pause, group::signal},
    {SYS_sigaltstack, sys_sigaltstack, group::signal},
    {SYS_signalfd, sys_signalfd, group::signal},
    {SYS_signalfd4, sys_signalfd, group::signal},
    {SYS_timer_create, sys_timer_create, group::signal},
    // reading and writing; both groups need these
    {SYS_read, sys_read, group::socket},
    {SYS_read, sys_read, group::pipe},
    {SYS_write, sys_write, group::socket},
    {SYS_write, sys_write, group::pipe},
    {SYS_readv, sys_readv, group::socket},
    {SYS_readv, sys_readv, group::pipe},
    {SYS_writev, sys_writev, group::socket},
    {SYS_writev, sys_writev, group::pipe},
    {SYS_preadv2, sys_preadv2, group::socket},
    {SYS_preadv2, sys_preadv2, group::pipe},
    {SYS_pwritev2, sys_pwritev2, group::socket},
    {SYS_pwritev2, sys_pwritev2, group::pipe},
    // sockets
    {SYS_recvfrom, sys_recvfrom, group::socket},
    {SYS_recvmsg, sys_recvmsg, group::socket},
    {SYS_recvmmsg, sys_recvmmsg, group::socket},
    {SYS_sendto, sys_sendto, group::socket},
    {SYS_sendmsg, sys_sendmsg, group::socket},
    {SYS_sendmmsg, sys_sendmmsg, group::socket},
    {SYS_accept, sys_accept, group::socket},
    {SYS_accept4, sys_accept, group::socket},
    {SYS_connect, sys_connect, group::socket},
    {SYS_sendfile, sys_sendfile, group::socket},
    {SYS_splice, sys_splice, group::pipe},
    {SYS_tee, sys_splice, group::pipe},
    {SYS_vmsplice, sys_splice, group::pipe},
    // waiting for many
    {SYS_poll, sys_poll, group::select},
    {SYS_ppoll, sys_ppoll, group::select},
    {SYS_select, sys_select, group::select},
    {SYS_pselect6, sys_pselect6, group::select},
    {SYS_epoll_wait, sys_epoll_wait, group::select},
    {SYS_epoll_pwait, sys_epoll_pwait, group::select},
    {SYS_epoll_pwait2, sys_epoll_pwait2, group::select},
    // time
    {SYS_nanosleep, sys_nanosleep, group::time},
    {SYS_clock_nanosleep, sys_clock_nanosleep, group::time},
    {SYS_clock_gettime, sys_clock_of_thread, group::thread},
    {SYS_clock_getres, sys_clock_of_thread, group::thread},
    {SYS_sched_yield, sys_sched_yield, group::thread},
    {SYS_getrandom, sys_getrandom, group::thread},
    // the life of descriptors
    {SYS_close, sys_close, group::thread},
    {SYS_close_range, sys_close_range, group::thread},
    {SYS_dup, sys_dup, group::thread},
    {SYS_dup2, sys_dup2, group::thread},
    {SYS_dup3, sys_dup2, group::thread},
    {SYS_fcntl, sys_fcntl, group::thread},
    {SYS_ioctl, sys_ioctl, group::thread},
    {SYS_pipe, sys_pipe, group::thread},
    {SYS_pipe2, sys_pipe, group::thread},
    {SYS_socket, sys_socket, group::thread},
    {SYS_socketpair, sys_socketpair, group::thread},
    {SYS_setsockopt, sys_setsockopt, group::thread},
    // waits on files and on System V's and POSIX's objects
    {SYS_creat, sys_creat, group::file},
    {SYS_openat2, sys_openat2, group::file},
    {SYS_flock, sys_flock, group::file},
    {SYS_msgsnd, sys_msg, group::file},
    {SYS_msgrcv, sys_msg, group::file},
    {SYS_semop, sys_semop, group::file},
    {SYS_semtimedop, sys_semop, group::file},
    {SYS_mq_timedsend, sys_mq, group::file},
    {SYS_mq_timedreceive, sys_mq, group::file},
    {SYS_io_uring_setup, sys_io_uring_setup, group::file},
    {SYS_io_uring_enter, sys_io_uring_enter, group::file},
    {SYS_io_getevents, sys_io_getevents, group::file},
    {SYS_io_pgetevents, sys_io_getevents, group::file},
    {SYS_timer_delete, sys_timer_delete, group::signal},
    // thread stacks
    {SYS_mmap, sys_mmap, group::memory},
    {SYS_mmap, sys_mmap, group::thread},  // what dlopen maps is to be patched
    {SYS_munmap, sys_munmap, group::memory},
    {SYS_munmap, sys_munmap, group::thread},
    {SYS_mprotect, sys_mprotect, group::memory},
    {SYS_madvise, sys_madvise, group::memory},
};

constexpr auto handlers = [] {
  std::array<handler, WEFT_HANDLED_COUNT> by_number{};
  for (const table_row& row : rows) by_number[static_cast<std::size_t>(row.nr)] = row.handle;
  return by_number;
}();

// A row of what waits, and nothing else: the kernel can do it as well.
constexpr bool only_waits(const table_row& row) {
  switch (row.group) {
    case group::socket:
    case group::pipe:
    case group::file:
    case group::time:
    case group::select:
      return true;
    case group::process:
      return row.nr == SYS_wait4 || row.nr == SYS_waitid;
    default:
      return false;
  }
}

constexpr auto native_handlers = [] {
  auto by_number = handlers;
  for (const table_row& row : rows) {
    if (only_waits(row)) by_number[static_cast<std::size_t>(row.nr)] = wait_natively;
  }
  return by_number;
}();

// Threads that are fibers have their own ids, masks and handlers, and a fork leaves their hub behind: what knows of that is
// theirs, whatever groups were named.
constexpr bool comes_with_threads(group g) { return g == group::thread || g == group::signal || g == group::process; }

handler handler_for(const table_row& row, base::patch_groups groups) noexcept {
  if (groups.has(row.group)) return row.handle;
  if (only_waits(row)) return wait_natively_in_turn;
  return comes_with_threads(row.group) ? row.handle : nullptr;
}

constinit std::atomic<handler> in_force[WEFT_HANDLED_COUNT];

handler found(handler h) noexcept { return h != nullptr ? h : pass_call; }

}  // namespace

void use_groups(base::patch_groups groups) noexcept {
  for (const table_row& row : rows) {
    const handler chosen = handler_for(row, groups);
    if (chosen == nullptr) continue;
    std::atomic<handler>& now = in_force[row.nr];
    // A number with two rows waits in the kernel only if neither group is there.
    if (chosen == wait_natively_in_turn && now.load(std::memory_order_relaxed) == row.handle) continue;
    now.store(chosen, std::memory_order_relaxed);
    weft_handled[row.nr] = 1;
  }
}

long pass_call(call& c) noexcept { return pass(c); }

// A tick, or another hub's kick, must not end it with EINTR: those wait. The program's signals end it as they do natively.
long wait_natively(call& c) noexcept {
  core::hub& h = *weft_this_hub;
  expose_mask(h, self().signals.mask.load(std::memory_order_relaxed) | signal_bit(kick_signal));
  const long result = pass(c);
  hide_mask(h);
  return result;
}

// For a group that was left out: a loop around such a call must not keep the hub for itself, since no tick ends its turn.
long wait_natively_in_turn(call& c) noexcept {
  const long result = wait_natively(c);
  core::yield_and_poll();
  return result;
}

handler handler_of(long nr) noexcept {
  const auto index = static_cast<unsigned long>(nr);
  return index < WEFT_HANDLED_COUNT ? found(in_force[index].load(std::memory_order_relaxed)) : pass_call;
}

handler native_handler_of(long nr) noexcept {
  const auto index = static_cast<unsigned long>(nr);
  return index < native_handlers.size() ? found(native_handlers[index]) : pass_call;
}

}  // namespace weft::shim
