// SPDX-License-Identifier: MIT
#include "io/operation.hpp"

#include "core/cancel.hpp"
#include "core/local_hub.hpp"
#include "core/scheduler.hpp"
#include "fd/watch.hpp"
#include "weft/park.hpp"

namespace weft::io {

namespace {

int make_hub() noexcept {
  try {
    core::local_hub();
    return 0;
  } catch (const std::system_error& error) {
    return error.code().value();
  }
}

}  // namespace

io_result pending::wait() {
  if (last_try_) {
    d_.leave();
    return failed_with(io_errc::timed_out);
  }
  const int no_hub = core::this_hub() != nullptr ? 0 : make_hub();
  fd::watch* const w = no_hub == 0 ? d_.readiness() : nullptr;
  if (w == nullptr) {
    d_.leave();
    return no_hub != 0 ? -no_hub : -ENOMEM;
  }
  fd::waiter n;
  n.who = prepare_park();
  fd::add_waiter(*w, dir_, n);
  d_.leave();
  const int reason = core::park_cancellable(n.who, by_.ns(), core::wait_kind::fd, &w->fd);
  if (reason != woken) {
    // A watch may belong to another descriptor by now, but then this waiter was taken out of it.
    fd::remove_waiter(*w, n);
    if (reason == cancelled_wait) throw_cancelled();
    last_try_ = reason == timed_out;
  }
  d_.streak.store(0, std::memory_order_relaxed);
  return d_.enter() ? 0 : -EBADF;
}

void take_turns(descriptor& d) {
  d.streak.store(0, std::memory_order_relaxed);
  core::hub* const h = core::this_hub();
  if (h == nullptr) return;
  core::fiber& f = core::self();
  core::yield_and_poll();
  if ((f.cancels & core::cancel_noted) != 0) core::throw_if_cancelled(*h, f);
}

}  // namespace weft::io
