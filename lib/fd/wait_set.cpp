// SPDX-License-Identifier: MIT
#include "fd/wait_set.hpp"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

#include <mutex>

#include "base/memory.hpp"
#include "base/syscall.hpp"
#include "core/clock.hpp"
#include "core/scheduler.hpp"
#include "fd/table.hpp"

namespace weft::fd {

namespace {

constexpr unsigned for_reading = POLLIN | POLLRDNORM;
constexpr unsigned for_writing = POLLOUT | POLLWRNORM;
// A peer's half-close makes the descriptor readable as well.
constexpr unsigned with_reading = for_reading | POLLRDHUP;

// Whether the loop's watchers, which know of reading and writing alone, tell of all that is asked for.
bool is_simple(unsigned events) noexcept {
  const unsigned asked = events & (for_reading | for_writing | POLLPRI | POLLRDHUP | POLLRDBAND | POLLWRBAND | POLLMSG);
  if (asked == 0 || (asked & ~(with_reading | for_writing)) != 0) return false;
  return (asked & POLLRDHUP) == 0 || (asked & for_reading) != 0;
}

// With no descriptor or memory left the call looks again this often.
constexpr std::int64_t blind_interval = 10'000'000;

}  // namespace

wait_set::~wait_set() {
  for (int i = 0; i < count_; ++i) unpin(*entries_[i].watch);
  for (unsigned i = 0; i < kept_count_; ++i) unpin(*kept_[i]);
  if (kept_ != nullptr) base::reallocate(kept_, 0);
  if (epoll_watch_ != nullptr) unpin(*epoll_watch_);
  if (epoll_ >= 0) {
    unreserve(epoll_);
    before_close(epoll_);
    base::raw_syscall(SYS_close, epoll_);
    after_close(epoll_);
  }
}

void wait_set::add(int fd, unsigned events) noexcept {
  if (!by_epoll_ && is_simple(events) && count_ < room) {
    if (watch* w = pin(fd)) {
      entries_[count_++] = {w, fd, events, {}};
      return;
    }
    stale_ = !fd::is_open(fd);
    if (stale_) return;
  }
  if (!by_epoll_) use_epoll();
  keep(pin(fd));
  add_to_epoll(fd, events);
}

// An epoll forgets a file when its last number is closed. Without memory for it that is what happens.
void wait_set::keep(fd::watch* w) noexcept {
  if (w == nullptr) return;
  if (kept_count_ == kept_room_) {
    const unsigned wanted = kept_room_ == 0 ? 16 : 2 * kept_room_;
    auto** const grown = static_cast<fd::watch**>(base::reallocate(kept_, wanted * sizeof(fd::watch*)));
    if (grown == nullptr) return unpin(*w);
    kept_ = grown;
    kept_room_ = wanted;
  }
  kept_[kept_count_++] = w;
}

bool wait_set::lost_number() noexcept {
  for (unsigned i = 0; i < kept_count_; ++i) {
    const std::lock_guard guard(kept_[i]->lock);
    if (kept_[i]->gone) return true;
  }
  return false;
}

void wait_set::use_epoll() noexcept {
  by_epoll_ = true;
  const long made = base::raw_syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
  if (base::is_error(made)) return;
  const int moved = private_copy(static_cast<int>(made));
  base::raw_syscall(SYS_close, made);
  if (moved < 0) return;
  epoll_ = moved;
  epoll_watch_ = pin(epoll_);
  for (int i = 0; i < count_; ++i) {
    add_to_epoll(entries_[i].fd, entries_[i].events);
    keep(entries_[i].watch);
  }
  count_ = 0;
}

void wait_set::add_to_epoll(int fd, unsigned events) noexcept {
  if (epoll_ < 0) return;
  epoll_event wanted{};
  wanted.events = events & 0xffff;
  if (base::raw_syscall(SYS_epoll_ctl, epoll_, EPOLL_CTL_ADD, fd, &wanted) != -EEXIST) return;
  // Named twice: under another number it is another entry, which outlives that number (epoll(7), Q6).
  const int copy = private_copy(fd);
  if (copy < 0) return;
  base::raw_syscall(SYS_epoll_ctl, epoll_, EPOLL_CTL_ADD, copy, &wanted);
  unreserve(copy);
  base::raw_syscall(SYS_close, copy);
}

outcome wait_set::wait(std::int64_t due_ns) noexcept { return wait(due_ns, /*cancellable=*/false); }
outcome wait_set::wait_cancellable(std::int64_t due_ns) noexcept { return wait(due_ns, /*cancellable=*/true); }

outcome wait_set::wait(std::int64_t due_ns, bool cancellable) noexcept {
  if (stale_) return outcome::stale;
  if (by_epoll_ && epoll_watch_ != nullptr) {
    // An event that was none for the caller may be one of a file whose number is another's by now: it would come again at once.
    if (waited_ && lost_number()) return outcome::stale;
    waited_ = true;
    return cancellable ? fd::wait_cancellable(*epoll_watch_, direction::read, due_ns)
                       : fd::wait(*epoll_watch_, direction::read, due_ns, /*interruptible=*/true);
  }
  const core::waker who = core::prepare_park();
  for (int i = 0; i < count_; ++i) {
    entry& e = entries_[i];
    for (const direction d : {direction::read, direction::write}) {
      if ((e.events & (d == direction::read ? for_reading : for_writing)) == 0) continue;
      waiter& n = e.waiters[static_cast<int>(d)];
      n.who = who;
      n.exclusive = false;
      add_waiter(*e.watch, d, n);
    }
  }
  std::int64_t due = due_ns;
  if (by_epoll_) {
    const std::int64_t soon = core::now_ns() + blind_interval;
    if (soon < due) due = soon;
  }
  const core::wait_kind kind = count_ == 0 ? core::wait_kind::sleep : core::wait_kind::fd;
  const int* const shown = count_ == 1 ? &entries_[0].fd : nullptr;
  const int reason = cancellable ? core::park_cancellable(who, due, kind, shown)
                                 : core::park(who, due, kind, shown, /*interruptible=*/true);
  bool current = true;
  for (int i = 0; i < count_; ++i) {
    for (waiter& n : entries_[i].waiters) current = remove_waiter(*entries_[i].watch, n) && current;
  }
  switch (reason) {
    case core::interrupted:
      return outcome::interrupted;
    case core::cancelled_wait:
      return outcome::cancelled;
    case core::timed_out:
      if (due == due_ns) return outcome::timed_out;
      break;
    default:
      break;
  }
  return current ? outcome::woken : outcome::stale;
}

}  // namespace weft::fd
