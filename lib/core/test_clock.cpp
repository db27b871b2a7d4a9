// SPDX-License-Identifier: MIT
// How the time of a test jumps. A hub that comes to rest looks at I/O once more and, if that found nothing, agrees to a jump in the
// present round. A round ends as soon as a hub has run anything since its last visit, so all agree in one only if none has run
// anything while each looked: then nothing is under way between them. The last one to agree makes the jump.
#include "weft/test_clock.hpp"

#include <algorithm>
#include <mutex>
#include <system_error>

#include "base/clock.hpp"
#include "core/cancel.hpp"
#include "core/clock.hpp"
#include "core/dump.hpp"
#include "core/local_hub.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"

namespace weft::core {

std::atomic<std::int64_t> test_time{0};
std::atomic<bool (*)() noexcept> others_are_at_work{nullptr};

namespace {

constinit base::spinlock lock;
constinit test_clock_options rules;
constinit std::uint64_t round = 1;
constinit std::int64_t quiet_since = 0;  // the kernel's time of the round's begin

// Or its thread has not begun.
bool has_ended(const hub& h) noexcept { return h.kernel_tid.load(std::memory_order_relaxed) == 0; }

void rouse(hub& h) noexcept {
  if (h.sleeping.exchange(false, std::memory_order_seq_cst)) h.events.wake();
}

void rouse_all() noexcept {
  const unsigned count = hub_count.load(std::memory_order_acquire);
  for (unsigned i = 0; i < count; ++i) rouse(*hubs[i]);
}

// Whether all hubs agree. Those that do not and sleep are woken to look.
bool all_agree() noexcept {
  bool agreed = true;
  const unsigned count = hub_count.load(std::memory_order_acquire);
  for (unsigned i = 0; i < count; ++i) {
    if (hubs[i]->vote.round == round || has_ended(*hubs[i])) continue;
    agreed = false;
    rouse(*hubs[i]);
  }
  return agreed;
}

bool outside_may_act() noexcept {
  const unsigned count = hub_count.load(std::memory_order_acquire);
  unsigned threads = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (hubs[i]->awaits_events()) return true;
    if (!has_ended(*hubs[i])) ++threads;
  }
  return count_os_threads(threads) != threads;
}

// Whether each that has agreed sleeps still, with nothing sent to it. Asked behind the threads at work: the last thing that one
// did may have been to wake somebody.
bool all_rest() noexcept {
  const unsigned count = hub_count.load(std::memory_order_acquire);
  for (unsigned i = 0; i < count; ++i) {
    const hub& h = *hubs[i];
    if (has_ended(h)) continue;
    if (!h.sleeping.load(std::memory_order_seq_cst) || h.inbox.load(std::memory_order_seq_cst) != nullptr) return false;
  }
  return true;
}

// All agree: the time goes on to the first deadline of any. @return until when, of the kernel's time, to wait instead
std::int64_t jump() noexcept {
  const unsigned count = hub_count.load(std::memory_order_acquire);
  std::int64_t next = timers::never;
  for (unsigned i = 0; i < count; ++i) {
    if (hubs[i]->vote.round == round) next = std::min(next, hubs[i]->vote.next);
  }
  if (next == timers::never) return timers::never;
  const std::int64_t real = base::monotonic_ns();
  const auto at_work = others_are_at_work.load(std::memory_order_acquire);
  if ((at_work != nullptr && at_work()) || !all_rest()) return real + rules.settle.count();
  if (real < quiet_since + rules.settle.count() && outside_may_act()) return quiet_since + rules.settle.count();
  if (next > test_time.load(std::memory_order_relaxed)) test_time.store(next, std::memory_order_relaxed);
  ++round;
  quiet_since = real;
  for (unsigned i = 0; i < count; ++i) {
    if (hubs[i]->vote.next <= next) rouse(*hubs[i]);
  }
  return 0;
}

}  // namespace

std::int64_t hub::next_due() noexcept {
  while (deadlines.count() != 0) {
    const std::int64_t seen = deadlines.next();
    fiber& f = *deadlines.pop(seen);
    const bool waits = f.state == fiber_state::parked || f.state == fiber_state::delayed;
    const std::int64_t kept = f.due;
    f.due = std::min(waits ? f.due : timers::never, next_record(f, now_ns()));
    if (f.due != timers::never) deadlines.arm(f);
    const bool is_first = f.due <= seen;
    f.due = kept;
    if (is_first) return seen;
  }
  return timers::never;
}

// @return until when, of the kernel's time, to sleep; 0: not at all
std::int64_t hub::agree(std::uint64_t seen_round) noexcept {
  const std::int64_t next = next_due();
  const std::lock_guard guard(lock);
  if (seen_round != round || !time_is_of_a_test()) return 0;
  vote.round = round;
  vote.next = next;
  sleeping.store(true, std::memory_order_seq_cst);  // before the others can agree: who jumps wakes us
  return rules.jumps && all_agree() ? jump() : timers::never;
}

void hub::rest_in_test_time() noexcept {
  std::uint64_t seen = 0;
  {
    const std::lock_guard guard(lock);
    if (vote.switches != switches) {
      vote.switches = switches;
      ++round;
      quiet_since = base::monotonic_ns();
    }
    seen = round;
  }
  begin_look();
  look(0);
  const bool idle =
      ready_head == nullptr && inbox.load(std::memory_order_seq_cst) == nullptr && switches == vote.switches;
  const std::int64_t until = idle ? agree(seen) : 0;
  if (until != 0) {
    if (until == timers::never) report_deadlock(*this);
    begin_look();
    if (inbox.load(std::memory_order_seq_cst) == nullptr) look(until);
  }
  sleeping.store(false, std::memory_order_relaxed);
  if (watch != nullptr) watch->after_poll(*this, false);
}

}  // namespace weft::core

namespace weft {

clock::time_point clock::now() noexcept { return time_point(std::chrono::nanoseconds(core::now_ns())); }

test_clock::test_clock(const test_clock_options& options) {
  core::local_hub();  // the first one makes a preloaded process a patched one
  if (core::may_be_woken_from_outside != nullptr) {
    throw std::system_error(std::make_error_code(std::errc::operation_not_supported),
                            "weft: a test_clock under the patch");
  }
  {
    const std::lock_guard guard(core::lock);
    if (core::time_is_of_a_test()) {
      throw std::system_error(std::make_error_code(std::errc::operation_in_progress), "weft: a second test_clock");
    }
    core::rules = options;
    begin_ = clock::time_point(std::chrono::nanoseconds(base::monotonic_ns()));
    core::test_time.store(begin_.time_since_epoch().count(), std::memory_order_relaxed);
  }
  core::rouse_all();
}

test_clock::~test_clock() {
  {
    const std::lock_guard guard(core::lock);
    core::test_time.store(0, std::memory_order_relaxed);
  }
  core::rouse_all();
}

void test_clock::advance(std::chrono::nanoseconds span) const {
  if (span.count() < 0) {
    throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                            "weft: test_clock::advance into the past");
  }
  {
    const std::lock_guard guard(core::lock);
    if (span.count() > core::timers::never - 1 - core::test_time.load(std::memory_order_relaxed)) {
      throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                              "weft: test_clock::advance beyond the end of time");
    }
    ++core::round;  // who is about to rest looks again
    core::test_time.fetch_add(span.count(), std::memory_order_relaxed);
  }
  core::local_hub().fire_timers();
  core::rouse_all();
}

clock::duration test_clock::elapsed() const noexcept { return clock::now() - begin_; }

}  // namespace weft
