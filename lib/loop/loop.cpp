// SPDX-License-Identifier: MIT
#include "loop/loop.hpp"

// The one place that knows libev.
#include <ev.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <atomic>
#include <limits>

#include "base/check.hpp"
#include "base/clock.hpp"
#include "base/memory.hpp"
#include "base/syscall.hpp"

namespace weft::loop {

namespace {

// Waits that end sooner than this get a timerfd; libev itself waits in whole milliseconds, rounded up.
constexpr std::int64_t precise_below = 20'000'000;

ev_io* watcher(io& w) noexcept { return reinterpret_cast<ev_io*>(&w); }
const ev_io* watcher(const io& w) noexcept { return reinterpret_cast<const ev_io*>(&w); }

void dispatch(struct ev_loop*, ev_io* w, int) noexcept {
  reinterpret_cast<io::callback>(w->data)(*reinterpret_cast<io*>(w));
}

void* allocate(void* block, long bytes) noexcept { return base::reallocate(block, static_cast<std::size_t>(bytes)); }

void system_error(const char* what) noexcept { base::check_failed("libev", 0, what); }

void drain(io& w) noexcept {
  std::uint64_t count;
  base::raw_syscall(SYS_read, w.fd(), &count, sizeof count);
}

// The thread inside event_loop::create, and the epoll descriptor that its call got.
std::atomic<int> creating_loop{0};
int adopted_epoll = -1;

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

bool event_loop::creating() noexcept {
  const int tid = creating_loop.load(std::memory_order_relaxed);
  return tid != 0 && tid == base::raw_syscall(SYS_gettid);
}

int event_loop::adopt_epoll(int fd) noexcept { return adopted_epoll = move_high(fd); }

int event_loop::replace_epoll(int fd) noexcept {
  const int moved = move_high(fd);
  epoll_fd_.store(moved, std::memory_order_relaxed);
  return moved;
}

void io::set(int fd, direction dir, callback call) noexcept {
  static_assert(sizeof(ev_io) <= sizeof storage_ && alignof(ev_io) <= 8);
  ev_io* w = watcher(*this);
  ev_io_init(w, dispatch, fd, dir == direction::read ? EV_READ : EV_WRITE);
  w->data = reinterpret_cast<void*>(call);
}
void io::start(struct ev_loop* loop) noexcept { ev_io_start(loop, watcher(*this)); }
void io::stop(struct ev_loop* loop) noexcept { ev_io_stop(loop, watcher(*this)); }
bool io::active() const noexcept { return ev_is_active(watcher(*this)) != 0; }
int io::fd() const noexcept { return watcher(*this)->fd; }

bool event_loop::create() noexcept {
  static const bool prepared = [] {
    ev_set_allocator(allocate);
    ev_set_syserr_cb(system_error);
    return true;
  }();
  (void)prepared;
  // Without the patch the descriptor gets the lowest free number, which is found by taking that number for a moment.
  const long lowest = base::raw_syscall(SYS_eventfd2, 0, EFD_CLOEXEC);
  if (base::is_error(lowest)) return false;
  base::raw_syscall(SYS_close, lowest);
  creating_loop.store(static_cast<int>(base::raw_syscall(SYS_gettid)), std::memory_order_relaxed);
  adopted_epoll = static_cast<int>(lowest);
  loop_ = ev_loop_new(EVFLAG_NOENV | EVFLAG_NOSIGMASK | EVBACKEND_EPOLL);
  creating_loop.store(0, std::memory_order_relaxed);
  if (loop_ == nullptr) return false;
  epoll_fd_.store(adopted_epoll, std::memory_order_relaxed);
  wake_fd_ = move_high(static_cast<int>(base::raw_syscall(SYS_eventfd2, 0, EFD_NONBLOCK | EFD_CLOEXEC)));
  precise_fd_ =
      move_high(static_cast<int>(base::raw_syscall(SYS_timerfd_create, CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)));
  if (wake_fd_ < 0 || precise_fd_ < 0) {
    destroy();
    return false;
  }
  wake_io_.set(wake_fd_, direction::read, drain);
  wake_io_.start(loop_);
  precise_io_.set(precise_fd_, direction::read, drain);
  precise_io_.start(loop_);
  return true;
}

void event_loop::destroy() noexcept {
  if (loop_ != nullptr) {
    if (wake_io_.active()) wake_io_.stop(loop_);
    if (precise_io_.active()) precise_io_.stop(loop_);
    ev_loop_destroy(loop_);
  }
  loop_ = nullptr;
  if (wake_fd_ >= 0) base::raw_syscall(SYS_close, wake_fd_);
  if (precise_fd_ >= 0) base::raw_syscall(SYS_close, precise_fd_);
  wake_fd_ = precise_fd_ = -1;
  precise_set_ = 0;
}

void event_loop::abandon() noexcept {
  // The epoll is shared with the parent until closed: stopping watchers in it would take them from the parent.
  if (loop_ == nullptr) return;
  int fds[4];
  for (int i = 0, n = own_fds(fds); i < n; ++i) base::raw_syscall(SYS_close, fds[i]);
  loop_ = nullptr;
  wake_fd_ = precise_fd_ = -1;
  epoll_fd_.store(-1, std::memory_order_relaxed);
  precise_set_ = 0;
}

void event_loop::forget(int fd) const noexcept {
  epoll_event unused{};
  base::raw_syscall(SYS_epoll_ctl, epoll_fd_.load(std::memory_order_relaxed), EPOLL_CTL_DEL, fd, &unused);
}

int event_loop::own_fds(int (&fds)[4]) const noexcept {
  int n = 0;
  for (const int fd : {epoll_fd_.load(std::memory_order_relaxed), wake_fd_, precise_fd_}) {
    if (fd >= 0) fds[n++] = fd;
  }
  return n;
}

void event_loop::run(bool block, std::int64_t until_ns) noexcept {
  if (!block) {
    ev_run(loop_, EVRUN_NOWAIT);
    return;
  }
  constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
  if (until_ns == never) {
    ev_run(loop_, EVRUN_ONCE);
    return;
  }
  const std::int64_t remaining = until_ns - base::monotonic_ns();
  if (remaining <= 0) {
    ev_run(loop_, EVRUN_NOWAIT);
    return;
  }
  if (remaining < precise_below) {
    if (precise_set_ != until_ns) {
      itimerspec when{};
      when.it_value = {until_ns / 1'000'000'000, until_ns % 1'000'000'000};
      base::raw_syscall(SYS_timerfd_settime, precise_fd_, TFD_TIMER_ABSTIME, &when, nullptr);
      precise_set_ = until_ns;
    }
    ev_run(loop_, EVRUN_ONCE);
    return;
  }
  ev_timer timer;
  ev_timer_init(
      &timer, [](struct ev_loop*, ev_timer*, int) {}, 0., 0.);
  ev_now_update(loop_);
  ev_timer_set(&timer, static_cast<double>(remaining) * 1e-9, 0.);
  ev_timer_start(loop_, &timer);
  ev_run(loop_, EVRUN_ONCE);
  ev_timer_stop(loop_, &timer);
}

void event_loop::wake() noexcept {
  const std::uint64_t one = 1;
  base::raw_syscall(SYS_write, wake_fd_, &one, sizeof one);
}

}  // namespace weft::loop
