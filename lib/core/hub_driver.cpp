// SPDX-License-Identifier: MIT
#include "weft/hub_driver.hpp"

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>

#include "base/check.hpp"
#include "base/syscall.hpp"
#include "core/clock.hpp"
#include "core/local_hub.hpp"
#include "core/scheduler.hpp"
#include "weft/detail/forks.hpp"
#include "weft/this_fiber.hpp"

namespace weft {

namespace {
// libev has timers of its own where watchers are used, and does not tell when they are due.
constexpr std::int64_t blind_interval = 10'000'000;
constexpr deadline at_once = deadline::from_ns(0);
}  // namespace

// What the other loop's code may do counts as something outside, though the hub seems asleep meanwhile.
hub_driver::hub_driver() : hub_(&core::local_hub()), forks_(weft_forks) { hub_->await(1); }
hub_driver::~hub_driver() {
  const bool is_own = core::this_hub() == hub_;
  WEFT_EXPECT(is_own || forks_ != weft_forks, "a hub_driver is destroyed by another thread than its own");
  if (is_own) hub_->await(-1);
}

int hub_driver::native_handle() const noexcept {
  int fds[2] = {-1, -1};
  hub_->events.own_fds(fds);
  return fds[0];
}

deadline hub_driver::run_once(std::chrono::nanoseconds slice) {
  if (core::this_hub() != hub_) {
    throw std::system_error(EPERM, std::generic_category(), "weft::hub_driver: not on the thread that made it");
  }
  // Behind all others who wait for idleness: they have had their turn, and what they armed has been told to the kernel.
  const std::int64_t now = core::now_ns();
  const deadline limit = deadline::from_ns(now + std::min(slice.count(), core::timers::never - now));
  if (!this_fiber::idle(std::numeric_limits<int>::min(), limit)) return at_once;
  if (hub_->ready_head != nullptr) return at_once;
  core::fiber& caller = core::self();
  if (caller.heap_slot != 0) hub_->deadlines.drop(caller);  // of the wait that has just ended
  // As the hub does before it sleeps: who posts from now on writes to the descriptor.
  hub_->sleeping.store(true, std::memory_order_seq_cst);
  if (hub_->inbox.load(std::memory_order_seq_cst) != nullptr) return at_once;
  std::int64_t next = hub_->deadlines.next();
  if (hub_->watch != nullptr) next = std::min(next, core::now_ns() + blind_interval);
  return deadline::from_ns(next);
}

void hub_driver::sleep(deadline by) const noexcept {
  const std::int64_t left = by.is_never() ? 0 : std::max<std::int64_t>(by.ns() - core::now_ns(), 0);
  const timespec limit{left / 1'000'000'000, left % 1'000'000'000};
  pollfd one{native_handle(), POLLIN, 0};
  base::raw_syscall(SYS_ppoll, &one, 1, by.is_never() ? nullptr : &limit, nullptr, 0);
}

}  // namespace weft
