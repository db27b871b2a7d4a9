// SPDX-License-Identifier: MIT
#include "io/signal_source.hpp"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <mutex>
#include <new>
#include <system_error>
#include <utility>

#include "base/syscall.hpp"
#include "core/fork.hpp"
#include "fd/watch.hpp"
#include "loop/loop.hpp"
#include "weft/detail/spin.hpp"

namespace weft::detail {

namespace {

using entry = signal_source::entry;

struct disposition {
  std::atomic<entry*> first{nullptr};  // only ever longer
  std::atomic<unsigned> running{0};    // handlers that look at the entries just now
  unsigned subscribers = 0;
  struct sigaction before {};
};

constinit disposition table[65];
constinit spinlock changes;  // of the table, and of the list of sources
constinit signal_source* sources = nullptr;
constinit std::atomic<long> owner{0};  // the process; a vfork's child has our memory, too

void tell(entry& e, const siginfo_t& info) noexcept {
  const int fd = e.fd.load(std::memory_order_seq_cst);
  if (fd < 0 || base::raw_syscall(SYS_write, fd, &info, sizeof info) != -EAGAIN) return;
  // Full. The reader may have emptied it before it can see the flag: then there is room now.
  e.overflowed.store(true, std::memory_order_seq_cst);
  if (base::raw_syscall(SYS_write, fd, &info, sizeof info) > 0) e.overflowed.store(false, std::memory_order_seq_cst);
}

void on_signal(int signum, siginfo_t* info, void* context) {
  const int kept = errno;
  disposition& d = table[signum];
  d.running.fetch_add(1, std::memory_order_seq_cst);
  if (base::raw_syscall(SYS_getpid) == owner.load(std::memory_order_relaxed)) {
    for (entry* e = d.first.load(std::memory_order_acquire); e != nullptr; e = e->next) tell(*e, *info);
  }
  d.running.fetch_sub(1, std::memory_order_seq_cst);
  errno = kept;
  // Behind the count: this one may leave by siglongjmp.
  if ((d.before.sa_flags & SA_SIGINFO) != 0) {
    d.before.sa_sigaction(signum, info, context);
  } else if (d.before.sa_handler != SIG_DFL && d.before.sa_handler != SIG_IGN) {
    d.before.sa_handler(signum);
  }
}

bool is_ours(const struct sigaction& a) noexcept {
  return (a.sa_flags & SA_SIGINFO) != 0 && a.sa_sigaction == on_signal;
}

[[noreturn]] void fail(int error, const char* what) { throw std::system_error(error, std::generic_category(), what); }

bool stands_for_fault(int signum) noexcept {
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) {
    if (signum == fault) return true;
  }
  return false;
}

// Under the lock.
int install(int signum) noexcept {
  disposition& d = table[signum];
  struct sigaction now {};
  if (sigaction(signum, nullptr, &now) != 0) return errno;
  if (is_ours(now)) return 0;  // put back by somebody who had taken it over from us
  d.before = now;
  now.sa_sigaction = on_signal;
  now.sa_flags |= SA_SIGINFO | SA_ONSTACK;
  if (d.before.sa_handler == SIG_DFL || d.before.sa_handler == SIG_IGN) now.sa_flags |= SA_RESTART;
  return sigaction(signum, &now, nullptr) == 0 ? 0 : errno;
}

void put_back(int signum) noexcept {
  struct sigaction now {};
  if (sigaction(signum, nullptr, &now) == 0 && is_ours(now)) sigaction(signum, &table[signum].before, nullptr);
}

entry* take_entry(int signum) {
  disposition& d = table[signum];
  for (entry* e = d.first.load(std::memory_order_relaxed); e != nullptr; e = e->next) {
    if (!e->taken.exchange(true, std::memory_order_relaxed)) return e;
  }
  auto* const fresh = new entry;
  fresh->taken.store(true, std::memory_order_relaxed);
  entry* head = d.first.load(std::memory_order_relaxed);
  do {
    fresh->next = head;
  } while (!d.first.compare_exchange_weak(head, fresh, std::memory_order_acq_rel));
  return fresh;
}

}  // namespace

signal_source::signal_source(const sigset_t& signals) {
  static constinit core::fork_hook hook{forget_after_fork};
  core::on_fork(hook);
  owner.store(base::raw_syscall(SYS_getpid), std::memory_order_relaxed);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) fail(errno, "weft: a pipe for signals");
  read_fd_ = loop::move_high(ends[0]);
  write_fd_ = loop::move_high(ends[1]);
  {
    const std::lock_guard guard(changes);
    next_ = sources;
    sources = this;
  }
  try {
    for (int signum = 1; signum <= 64; ++signum) {
      if (sigismember(&signals, signum) == 1) subscribe(signum);
    }
  } catch (...) {
    unsubscribe_all();
    throw;
  }
}

signal_source::~signal_source() { unsubscribe_all(); }

void signal_source::subscribe(int signum) {
  if (stands_for_fault(signum)) fail(EINVAL, "weft: a signal that stands for a fault cannot be waited for");
  entry* const e = take_entry(signum);
  entries_[signum] = e;
  e->overflowed.store(false, std::memory_order_relaxed);
  e->fd.store(write_fd_, std::memory_order_seq_cst);
  int error = 0;
  {
    const std::lock_guard guard(changes);
    if (table[signum].subscribers++ == 0) error = install(signum);
  }
  if (error != 0) fail(error, "weft: a signal that cannot be handled");
}

void signal_source::unsubscribe_all() noexcept {
  for (int signum = 1; signum <= 64; ++signum) {
    entry* const e = entries_[signum];
    if (e == nullptr) continue;
    entries_[signum] = nullptr;
    {
      const std::lock_guard guard(changes);
      if (--table[signum].subscribers == 0) put_back(signum);
    }
    e->fd.store(-1, std::memory_order_seq_cst);
    // Whoever has read the descriptor writes to it before it is closed.
    while (table[signum].running.load(std::memory_order_seq_cst) != 0) base::raw_syscall(SYS_sched_yield);
    e->taken.store(false, std::memory_order_relaxed);
  }
  {
    const std::lock_guard guard(changes);
    for (signal_source** at = &sources; *at != nullptr; at = &(*at)->next_) {
      if (*at == this) {
        *at = next_;
        break;
      }
    }
  }
  close_pipe();
}

void signal_source::close_pipe() noexcept {
  for (int* fd : {&read_fd_, &write_fd_}) {
    if (*fd >= 0) fd::close_waking(*fd);
    *fd = -1;
  }
}

bool signal_source::try_take(siginfo_t& out) noexcept {
  if (read_fd_ < 0) return false;
  if (base::raw_syscall(SYS_read, read_fd_, &out, sizeof out) == sizeof out) return true;
  for (int signum = 1; signum <= 64; ++signum) {
    entry* const e = entries_[signum];
    if (e == nullptr || !e->overflowed.exchange(false, std::memory_order_seq_cst)) continue;
    out = {};
    out.si_signo = signum;
    out.si_code = SI_KERNEL;
    return true;
  }
  return false;
}

bool signal_source::has_overflowed() const noexcept {
  for (const entry* const e : entries_) {
    if (e != nullptr && e->overflowed.load(std::memory_order_seq_cst)) return true;
  }
  return false;
}

void signal_source::forget_after_fork() noexcept {
  new (&changes) spinlock;  // whoever held it is not here
  for (signal_source* s = sources; s != nullptr; s = s->next_) {
    for (int signum = 1; signum <= 64; ++signum) {
      if (s->entries_[signum] == nullptr) continue;
      s->entries_[signum]->fd.store(-1, std::memory_order_relaxed);
      s->entries_[signum]->taken.store(false, std::memory_order_relaxed);
      s->entries_[signum] = nullptr;
      if (--table[signum].subscribers == 0) put_back(signum);
    }
    // Not as `close_pipe`: the epoll that the watches know of is still the parent's, and what waits is the parent's.
    for (int* fd : {&s->read_fd_, &s->write_fd_}) base::raw_syscall(SYS_close, std::exchange(*fd, -1));
  }
  sources = nullptr;
}

}  // namespace weft::detail
