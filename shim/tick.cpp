// SPDX-License-Identifier: MIT
// A timer of the kernel for each hub, which runs only while the hub does: a hub that is found asleep gets no further
// tick until a fiber leaves a call, so an idle process is never wakened.
#include "shim/tick.hpp"

#include <time.h>

#include <atomic>

#include "base/syscall.hpp"
#include "core/runtime.hpp"
#include "shim/signals.hpp"
#include "shim/turn_length.hpp"

namespace weft::shim {

std::atomic<bool> ticking[core::max_hubs];

namespace {

// A turn of a busy fiber ends at the second tick that finds it, so between one interval and two.
struct tick {
  int timer = 0;
  bool exists = false;
  std::uint64_t switches = 0;
  turn_length turns;
};
constinit tick ticks[core::max_hubs];

void arm(const tick& t) noexcept {
  const itimerspec once{{0, 0}, {0, t.turns.interval_ns()}};
  base::raw_syscall(SYS_timer_settime, t.timer, 0, &once, nullptr);
}

}  // namespace

void start_tick(core::hub& h) noexcept {
  tick& t = ticks[h.index];
  if (t.exists) return;
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = kick_signal;
  event.sigev_value.sival_ptr = &t;
  event._sigev_un._tid = static_cast<int>(base::raw_syscall(SYS_gettid));
  t.exists = base::raw_syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &t.timer) == 0;
  if (!t.exists) ticking[h.index].store(true, std::memory_order_relaxed);
}

void arm_tick(core::hub& h) noexcept {
  tick& t = ticks[h.index];
  if (!t.exists || ticking[h.index].exchange(true, std::memory_order_relaxed)) return;
  t.switches = h.switches;
  arm(t);
}

bool is_tick(const core::hub& h, const siginfo_t& info) noexcept { return info.si_value.sival_ptr == &ticks[h.index]; }

bool on_tick(core::hub& h) noexcept {
  tick& t = ticks[h.index];
  if (h.sleeping.load(std::memory_order_relaxed)) {
    ticking[h.index].store(false, std::memory_order_relaxed);
    return false;
  }
  const bool kept = t.switches == h.switches;
  t.switches = h.switches;
  if (kept && h.ready_head != nullptr) t.turns.used_up(h.switches);
  arm(t);
  return kept;
}

void reset_ticks() noexcept {
  for (unsigned i = 0; i < core::max_hubs; ++i) {
    ticks[i] = {};
    ticking[i].store(false, std::memory_order_relaxed);
  }
}

}  // namespace weft::shim
