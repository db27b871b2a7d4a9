// SPDX-License-Identifier: MIT
#include "weft/readiness.hpp"

#include <poll.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>

#include "base/message.hpp"
#include "base/spinlock.hpp"
#include "core/local_hub.hpp"
#include "fd/poll_now.hpp"
#include "fd/table.hpp"
#include "fd/watch.hpp"
#include "weft/detail/forks.hpp"

namespace weft::detail {

/// Our place among those that wait for the descriptor. An event takes it out; it is put in again when somebody has looked
/// and the descriptor was not ready after all: so an event that nobody sees to does not come over and over.
struct readiness::asked : fd::waiter {
  std::atomic<std::uint32_t> forks{weft_forks};  // of the process that `of` belongs to
  fd::watch* of = nullptr;                       // null: the number was nobody's
  const readiness* owner = nullptr;

  static asked& at(const readiness& r) noexcept { return *std::launder(reinterpret_cast<asked*>(r.place_)); }
};

readiness::readiness(int fd, way which) : fd_(fd), way_(which) {
  static_assert(sizeof(asked) <= sizeof place_ && alignof(asked) <= alignof(void*));
  core::local_hub();
  fd::watch* const w = fd::pin(fd);
  if (w == nullptr && fd::is_open(fd)) {
    throw std::system_error(ENOMEM, std::generic_category(), "weft: waiting for a descriptor");
  }
  auto* const place = new (place_) asked;
  place->of = w;
  place->owner = this;
  place->exclusive = false;
  place->told = [](fd::waiter& me) noexcept { static_cast<asked&>(me).owner->watchers_.notify(); };
}

// The watch was the parent's, and so are those who wait.
void readiness::pin_after_fork() const noexcept {
  asked& place = asked::at(*this);
  if (place.forks.load(std::memory_order_acquire) == weft_forks) return;
  core::local_hub();
  static constinit base::spinlock one_at_a_time;
  const std::lock_guard guard(one_at_a_time);
  if (place.forks.load(std::memory_order_relaxed) == weft_forks) return;
  std::construct_at(&watchers_);
  place.queued = false;
  place.of = fd::pin(fd_);
  place.forks.store(weft_forks, std::memory_order_release);
}

readiness::~readiness() {
  asked& place = asked::at(*this);
  if (place.forks.load(std::memory_order_relaxed) != weft_forks) return;
  if (!watchers_.empty()) {
    base::message text;
    text << "the readiness of descriptor " << fd_ << " is destroyed while somebody waits for it";
    base::say(text);
    std::abort();
  }
  if (place.of == nullptr) return;
  fd::remove_waiter(*place.of, place);
  fd::unpin(*place.of);
}

bool readiness::ready() const noexcept {
  pin_after_fork();
  const asked& place = asked::at(*this);
  const int number = place.of == nullptr ? -1 : fd::fd_of(*place.of);
  if (number < 0) return true;  // closed: a system call will tell
  pollfd look{number, static_cast<short>(way_ == way::in ? POLLIN : POLLOUT), 0};
  if (fd::poll_now(&look, 1) != 0) return true;
  ask();
  return false;
}

// Has the next event told to those who watch.
void readiness::ask() const noexcept {
  asked& place = asked::at(*this);
  const std::lock_guard guard(place.of->lock);
  if (watchers_.empty() || place.queued) return;
  fd::add_waiter_held(*place.of, way_ == way::in ? fd::direction::read : fd::direction::write, place);
}

void readiness::add_waiter(subscription& s) noexcept {
  pin_after_fork();
  if (fd::watch* const w = asked::at(*this).of) {
    const std::lock_guard guard(w->lock);
    watchers_.add(s);
  }
  if (ready()) s.notify(s);
}

void readiness::remove_waiter(subscription& s) noexcept {
  if (fd::watch* const w = asked::at(*this).of) {
    const std::lock_guard guard(w->lock);
    watchers_.remove(s);
  }
}

}  // namespace weft::detail
