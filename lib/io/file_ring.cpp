// SPDX-License-Identifier: MIT
#include "io/file_ring.hpp"

#include <fcntl.h>

#include <cerrno>
#include <mutex>
#include <new>

#include "base/syscall.hpp"
#include "core/fork.hpp"
#include "core/local_hub.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "fd/table.hpp"
#include "weft/park.hpp"

namespace weft::io {

/// On the stack of the fiber that waits. The kernel has its address until it is done.
struct file_ring::request {
  waker who;
  io_result result = 0;
  bool done = false;
};

namespace {

constexpr unsigned entries = 64;  // submitted at once; any number may be under way

constinit file_ring rings[core::max_hubs];
constinit std::atomic<bool> allowed{true};

void describe(io_uring_sqe* sqe, const file_call& c) noexcept {
  const auto count = static_cast<unsigned>(c.count);
  switch (c.what) {
    case file_call::kind::open:
      io_uring_prep_openat(sqe, AT_FDCWD, c.path, c.flags | O_CLOEXEC, c.mode);
      // Not at once: that try has O_NONBLOCK, with which a FIFO does not wait for its other end (io_uring/openclose.c).
      sqe->flags |= IOSQE_ASYNC;
      return;
    case file_call::kind::read:
      return io_uring_prep_readv(sqe, c.fd, c.places, count, c.offset);
    case file_call::kind::write:
      return io_uring_prep_writev(sqe, c.fd, c.places, count, c.offset);
    case file_call::kind::sync:
      return io_uring_prep_fsync(sqe, c.fd, 0);
    case file_call::kind::sync_data:
      return io_uring_prep_fsync(sqe, c.fd, IORING_FSYNC_DATASYNC);
    case file_call::kind::status:
      return io_uring_prep_statx(sqe, c.fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, c.status);
    case file_call::kind::truncate:
      __builtin_unreachable();  // Linux 6.9 is the first to take it
  }
}

// A call that was interrupted tells it in the kernel's own way, which is between 512 and 516 (include/linux/errno.h).
bool was_taken_back(io_result result) noexcept {
  return result == -ECANCELED || result == -EINTR || (result <= -512 && result >= -516);
}

}  // namespace

void file_ring::allow(bool yes) noexcept { allowed.store(yes, std::memory_order_relaxed); }

file_ring* file_ring::of_this_hub() {
  if (!allowed.load(std::memory_order_relaxed)) return nullptr;
  core::hub& h = core::local_hub();
  file_ring& mine = rings[h.index];
  if (mine.state_ == state::untried) {
    static constinit core::fork_hook hook{forget_after_fork};
    core::on_fork(hook);
    const std::lock_guard guard(mine.lock_);
    if (mine.state_ == state::untried) mine.state_ = mine.prepare(h) ? state::usable : state::absent;
  }
  return mine.state_ == state::usable ? &mine : nullptr;
}

bool file_ring::prepare(core::hub& h) noexcept {
  if (io_uring_queue_init(entries, &ring_, 0) < 0) return false;
  // Of the kernel that has it, 5.6, are open and statx.
  const int copy = (ring_.features & IORING_FEAT_RW_CUR_POS) != 0 ? fd::private_copy(ring_.ring_fd) : -1;
  if (copy < 0) {
    io_uring_queue_exit(&ring_);
    return false;
  }
  base::raw_syscall(SYS_close, ring_.ring_fd);
  ring_.ring_fd = ring_.enter_ring_fd = copy;
  completions_.owner = this;
  completions_.set(copy, loop::direction::read, [](loop::io& w) noexcept { static_cast<readiness&>(w).owner->reap(); });
  completions_.start(h.events.get());
  return true;
}

bool file_ring::perform(const file_call& c, deadline by, io_result& result) {
  request r{prepare_park()};
  if (!submit(&c, r)) return false;
  reap();  // what is in the page cache is there already
  const int ended =
      r.done ? static_cast<int>(woken) : core::park_cancellable(r.who, by.ns(), core::wait_kind::fd, nullptr);
  if (ended != woken) take_back(r);
  if (ended != timed_out || !was_taken_back(r.result)) result = r.result;
  if (ended == cancelled_wait) throw_cancelled();
  return true;
}

// Asks the kernel to give @p r up, and waits until it has, or has done it after all: it may write to our memory until then.
void file_ring::take_back(request& r) noexcept {
  if (!r.done) submit(nullptr, r);
  reap();
  while (!r.done) {
    r.who = prepare_park();
    if (!r.done) core::park(r.who, loop::never, core::wait_kind::fd, nullptr);
  }
}

// @param c  nullptr: takes @p r back
bool file_ring::submit(const file_call* c, request& r) noexcept {
  const std::lock_guard guard(lock_);
  io_uring_sqe* const sqe = io_uring_get_sqe(&ring_);
  if (sqe == nullptr) return false;
  if (c != nullptr) {
    describe(sqe, *c);
    io_uring_sqe_set_data(sqe, &r);
  } else {
    io_uring_prep_cancel(sqe, &r, 0);
    io_uring_sqe_set_data(sqe, nullptr);
  }
  if (flush()) return true;
  // Not taken, but it stays in the queue: whoever comes next must not submit it in our name.
  io_uring_prep_nop(sqe);
  io_uring_sqe_set_data(sqe, nullptr);
  return false;
}

bool file_ring::flush() noexcept {
  int taken;
  do {
    taken = io_uring_submit(&ring_);
  } while (taken == -EINTR || (taken > 0 && io_uring_sq_ready(&ring_) != 0));
  return io_uring_sq_ready(&ring_) == 0;
}

void file_ring::reap() noexcept {
  const std::lock_guard guard(lock_);
  io_uring_cqe* cqe = nullptr;
  while (io_uring_peek_cqe(&ring_, &cqe) == 0) {
    auto* const r = static_cast<request*>(io_uring_cqe_get_data(cqe));
    const io_result result = cqe->res;
    io_uring_cqe_seen(&ring_, cqe);
    if (r == nullptr) continue;
    r->result = result;
    r->done = true;
    unpark(r->who);
  }
}

// The rings are the parent's: what the child would submit to them, the parent would be told of.
void file_ring::forget_after_fork() noexcept {
  for (file_ring& ring : rings) {
    if (ring.state_ == state::usable) {
      fd::unreserve(ring.ring_.ring_fd);
      io_uring_queue_exit(&ring.ring_);
    }
    new (&ring) file_ring;
  }
}

}  // namespace weft::io
