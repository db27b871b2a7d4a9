// SPDX-License-Identifier: MIT
#include "weft/this_fiber.hpp"

#include "core/clock.hpp"
#include "core/local_hub.hpp"
#include "core/scheduler.hpp"

namespace weft::this_fiber {

void sleep_until(deadline by) {
  core::local_hub();
  if (by.ns() <= core::now_ns()) {
    core::yield_and_poll();
    return interruption_point();
  }
  const int ended = core::park_cancellable(core::prepare_park(), by.ns(), core::wait_kind::sleep, nullptr);
  if (ended == core::cancelled_wait) throw_cancelled();
}

bool idle(int priority, deadline by) {
  core::hub& h = core::local_hub();
  core::idler me{core::prepare_park(), priority};
  core::idler** at = &h.idlers;
  while (*at != nullptr && (*at)->priority >= priority) at = &(*at)->next;
  me.next = *at;
  *at = &me;
  const int ended = core::park_cancellable(me.who, by.ns(), core::wait_kind::sleep, nullptr);
  if (ended == core::woken) return true;
  for (at = &h.idlers; *at != &me; at = &(*at)->next) continue;
  *at = me.next;
  if (ended == core::cancelled_wait) throw_cancelled();
  return false;
}

std::uint64_t get_id() noexcept {
  if (weft_this_hub == nullptr) return 0;
  const core::fiber& f = core::self();
  // The number of a thread that was not spawned is libc's; those of fibers must not meet it.
  constexpr std::uint64_t of_libc = std::uint64_t{1} << 63;
  return f.light || f.task != nullptr ? f.id : f.id | of_libc;
}

}  // namespace weft::this_fiber
