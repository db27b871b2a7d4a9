// SPDX-License-Identifier: MIT
#include "loop/loop.hpp"

// The one place that knows libev.
#include <ev.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <atomic>

#include "base/check.hpp"
#include "base/memory.hpp"
#include "base/syscall.hpp"

namespace weft::loop {

namespace {

ev_io* watcher(io& w) noexcept { return reinterpret_cast<ev_io*>(&w); }
const ev_io* watcher(const io& w) noexcept { return reinterpret_cast<const ev_io*>(&w); }

void dispatch(struct ev_loop* loop, ev_io* w, int) noexcept {
  auto& ready = *reinterpret_cast<io*>(w);
  if (!static_cast<turn_list*>(ev_userdata(loop))->add(ready)) ready.call_back();
}

void* allocate(void* block, long bytes) noexcept { return base::reallocate(block, static_cast<std::size_t>(bytes)); }

void system_error(const char* what) noexcept { base::check_failed("libev", 0, what); }

// Nobody reads it: `libev_kernel` has each wake reported once.
void awake(io&) noexcept {}

}  // namespace

int move_high(int fd) noexcept {
  if (fd < 0) return fd;
  for (const int lowest : {1 << 19, 1 << 16, 16'000, 4'000, 1'000, 900, 400, 200, 100, 40}) {
    const long moved = base::raw_syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, lowest);
    if (base::is_error(moved)) continue;
    base::raw_syscall(SYS_close, fd);
    return static_cast<int>(moved);
  }
  return fd;
}

__thread event_loop* event_loop::current = nullptr;

void io::set(int fd, direction dir, callback call, approach coming) noexcept {
  static_assert(sizeof(ev_io) <= sizeof storage_ && alignof(ev_io) <= 8);
  ev_io* w = watcher(*this);
  ev_io_init(w, dispatch, fd, dir == direction::read ? EV_READ : EV_WRITE);
  w->data = reinterpret_cast<void*>(call);
  coming_ = coming;
}
void io::call_back() noexcept { reinterpret_cast<callback>(watcher(*this)->data)(*this); }
void io::start(struct ev_loop* loop) noexcept { ev_io_start(loop, watcher(*this)); }
void io::stop(struct ev_loop* loop) noexcept {
  static_cast<turn_list*>(ev_userdata(loop))->remove(*this);
  ev_io_stop(loop, watcher(*this));
}
bool io::active() const noexcept { return ev_is_active(watcher(*this)) != 0; }
int io::fd() const noexcept { return watcher(*this)->fd; }

bool event_loop::create() noexcept {
  static const bool prepared = [] {
    ev_set_allocator(allocate);
    ev_set_syserr_cb(system_error);
    return true;
  }();
  (void)prepared;
  current = this;
  loop_ = ev_loop_new(EVFLAG_NOENV | EVFLAG_NOSIGMASK | EVBACKEND_EPOLL);
  current = nullptr;
  if (loop_ == nullptr) return false;
  turns_.clear();
  ev_set_userdata(loop_, &turns_);
  ev_set_invoke_pending_cb(loop_, invoke);
  wake_fd_ = move_high(static_cast<int>(base::raw_syscall(SYS_eventfd2, 0, EFD_NONBLOCK | EFD_CLOEXEC)));
  if (wake_fd_ < 0) {
    destroy();
    return false;
  }
  wake_io_.set(wake_fd_, direction::read, awake);
  wake_io_.start(loop_);
  return true;
}

void event_loop::destroy() noexcept {
  if (loop_ != nullptr) {
    if (wake_io_.active()) wake_io_.stop(loop_);
    epoll_fd_.store(-1, std::memory_order_relaxed);
    ev_loop_destroy(loop_);
  }
  loop_ = nullptr;
  if (wake_fd_ >= 0) base::raw_syscall(SYS_close, wake_fd_);
  wake_fd_ = -1;
}

void event_loop::abandon() noexcept {
  // The epoll is shared with the parent until closed: stopping watchers in it would take them from the parent.
  if (loop_ == nullptr) return;
  int fds[2];
  for (int i = 0, n = own_fds(fds); i < n; ++i) base::raw_syscall(SYS_close, fds[i]);
  loop_ = nullptr;
  wake_fd_ = -1;
  epoll_fd_.store(-1, std::memory_order_relaxed);
}

void event_loop::forget(int fd) const noexcept {
  epoll_event unused{};
  base::raw_syscall(SYS_epoll_ctl, epoll_fd_.load(std::memory_order_relaxed), EPOLL_CTL_DEL, fd, &unused);
}

int event_loop::own_fds(int (&fds)[2]) const noexcept {
  int n = 0;
  for (const int fd : {epoll_fd_.load(std::memory_order_relaxed), wake_fd_}) {
    if (fd >= 0) fds[n++] = fd;
  }
  return n;
}

// libev calls back what is pending: descriptors take their turns behind all others.
void event_loop::invoke(struct ev_loop* loop) noexcept {
  ev_invoke_pending(loop);
  static_cast<turn_list*>(ev_userdata(loop))->run();
}

void event_loop::run(bool block, std::int64_t until_ns) noexcept {
  current = this;
  until_ns_ = until_ns;
  ev_run(loop_, block ? EVRUN_ONCE : EVRUN_NOWAIT);
}

void event_loop::wake() noexcept {
  const std::uint64_t one = 1;
  base::raw_syscall(SYS_write, wake_fd_, &one, sizeof one);
}

}  // namespace weft::loop
