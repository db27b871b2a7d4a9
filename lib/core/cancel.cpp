// SPDX-License-Identifier: MIT
#include "core/cancel.hpp"

#include "base/check.hpp"
#include "core/clock.hpp"
#include "core/local_hub.hpp"
#include "core/scheduler.hpp"
#include "weft/cancelled.hpp"
#include "weft/shield.hpp"
#include "weft/this_fiber.hpp"

namespace weft::core {

struct record_access {
  using record = detail::cancel_record;
  static record*& outer(record& r) noexcept { return r.outer_; }
  static std::int64_t& due(record& r) noexcept { return r.due_; }
  static bool shields(const record& r) noexcept { return r.shield_; }
  static std::uint32_t& thrown(record& r) noexcept { return r.thrown_; }
  static std::atomic<fiber*>& owner(record& r) noexcept { return r.owner_; }
  static bool take_request(record& r) noexcept { return !r.requested_.exchange(true, std::memory_order_seq_cst); }
  static void raise(record& r) { r.raise_(r); }
};

namespace {

using access = record_access;

// The outermost record that is due at @p now and not hidden.
detail::cancel_record* find_due(fiber& f, std::int64_t now) noexcept {
  detail::cancel_record* found = nullptr;
  for (detail::cancel_record* r = f.records; r != nullptr; r = access::outer(*r)) {
    if (r->requested() || access::due(*r) <= now) found = r;
    if (access::shields(*r)) return found;
  }
  return f.kill_record->requested() ? f.kill_record : found;
}

// Brings the fiber's bits up to date after a record has gone or was thrown.
void renew_bits(fiber& f) noexcept {
  bool noted = f.kill_record->requested();
  std::int64_t now = 0;
  for (detail::cancel_record* r = f.records; r != nullptr && !noted; r = access::outer(*r)) {
    if (access::due(*r) != timers::never && now == 0) now = now_ns();
    noted = r->requested() || access::due(*r) <= now;
  }
  f.cancels = static_cast<std::uint8_t>((f.records != nullptr ? cancel_linked : 0) | (noted ? cancel_noted : 0));
}

[[noreturn]] void throw_record(fiber& f, detail::cancel_record& r) {
  r.withdraw();
  access::due(r) = timers::never;
  renew_bits(f);
  ++access::thrown(f.kill);
  access::raise(r);
  __builtin_unreachable();
}

// Places an entry for the record's deadline, also for a fiber that never parks: the hub then leaves a note.
void arm_record(fiber& f, std::int64_t due) noexcept {
  if (due == timers::never) return;
  const std::int64_t kept = f.due;
  f.due = due;
  f.home->deadlines.arm(f);
  f.due = kept;
}

}  // namespace

void raise_kill(detail::cancel_record&) { throw cancelled(); }

cancel_view view_records(fiber& f) noexcept {
  cancel_view seen;
  for (detail::cancel_record* r = f.records; r != nullptr; r = access::outer(*r)) {
    if (r->requested()) seen.requested = r;
    if (access::due(*r) < seen.earliest) seen.earliest = access::due(*r);
    if (access::shields(*r)) return seen;
  }
  if (f.kill_record->requested()) seen.requested = f.kill_record;
  return seen;
}

void look_at_requests(fiber& f) noexcept {
  f.cancels |= cancel_noted;
  if (f.state == fiber_state::delayed && f.kill.requested()) return start_now(f);  // to end without having run
  if (f.state != fiber_state::parked || !f.cancellable || view_records(f).requested == nullptr) return;
  unpark({&f, f.epoch}, cancelled_wait);
}

void ask_to_look(fiber& f) noexcept {
  if (f.home == weft_this_hub) {
    look_at_requests(f);
    return;
  }
  post_mail(f, mail_cancel);
}

void lend_kill(fiber& task, fiber& runner) noexcept {
  runner.task = &task;
  runner.kill_record = &task.kill;
  access::owner(task.kill).store(&runner, std::memory_order_seq_cst);  // as in `enter`
  if (task.kill.requested()) runner.cancels |= cancel_noted;
}

void return_kill(fiber& runner) noexcept {
  access::owner(runner.task->kill).store(runner.task, std::memory_order_seq_cst);
  runner.kill_record = &runner.kill;
  renew_bits(runner);
}

std::int64_t next_record(const fiber& f, std::int64_t now) noexcept {
  std::int64_t next = timers::never;
  for (detail::cancel_record* r = f.records; r != nullptr; r = access::outer(*r)) {
    const std::int64_t due = access::due(*r);
    if (due > now && due < next) next = due;
  }
  return next;
}

void fire_records(fiber& f, std::int64_t now) noexcept {
  for (detail::cancel_record* r = f.records; r != nullptr; r = access::outer(*r)) {
    if (access::due(*r) <= now) f.cancels |= cancel_noted;
  }
  arm_record(f, next_record(f, now));
}

bool is_cancel_due(fiber& f) noexcept {
  return f.cancels != 0 && !is_unwinding(*f.home, f) && find_due(f, now_ns()) != nullptr;
}

void throw_if_cancelled(hub& h, fiber& f) {
  if (is_unwinding(h, f)) return;
  if (detail::cancel_record* r = find_due(f, now_ns())) throw_record(f, *r);
}

}  // namespace weft::core

namespace weft {

shield::shield() noexcept {
  if (weft_this_hub != nullptr) record_.enter();
}

void this_fiber::interruption_point() {
  core::hub* const h = weft_this_hub;
  if (h != nullptr && h->current->cancels != 0) core::throw_if_cancelled(*h, *h->current);
}

void throw_cancelled() {
  core::hub* const h = weft_this_hub;
  constexpr const char* nothing_due = "throw_cancelled is called and nothing is due";
  WEFT_EXPECT(h != nullptr && !core::is_unwinding(*h, *h->current), nothing_due);
  core::fiber& f = *h->current;
  detail::cancel_record* const r = core::find_due(f, core::now_ns());
  WEFT_EXPECT(r != nullptr, nothing_due);
  core::throw_record(f, *r);
}

namespace detail {

using core::access;

std::uint32_t cancellations() noexcept {
  return weft_this_hub == nullptr ? 0 : access::thrown(weft_this_hub->current->kill);
}

void cancel_record::enter(deadline by) {
  WEFT_EXPECT(!entered(), "a timeout, cancel scope or shield is begun that has begun already");
  core::local_hub();
  core::fiber& f = core::self();
  outer_ = f.records;
  f.records = this;
  owner_.store(&f, std::memory_order_seq_cst);  // who requests behind this finds the fiber; we see who did before
  f.cancels |= core::cancel_linked;
  if (requested_.load(std::memory_order_seq_cst)) f.cancels |= core::cancel_noted;
  set_deadline(by);
}

void cancel_record::leave() noexcept {
  if (!entered()) return;
  core::fiber& f = *owner();
  const bool is_own = weft_this_hub != nullptr && weft_this_hub->current == &f;
  cancel_record** at = &f.records;
  while (is_own && *at != nullptr && *at != this) at = &(*at)->outer_;
  WEFT_EXPECT(is_own && *at != nullptr,
              "a timeout, cancel scope or shield is ended by another fiber than the one that began it");
  *at = outer_;
  owner_.store(nullptr, std::memory_order_seq_cst);
  due_ = core::timers::never;
  withdraw();
  core::renew_bits(f);
}

void cancel_record::set_deadline(deadline by) noexcept {
  WEFT_EXPECT(entered(), "a deadline is set for a timeout or cancel scope that has not begun");
  due_ = by.ns();
  core::arm_record(*owner(), due_);
}

void cancel_record::request() noexcept {
  if (!access::take_request(*this)) return;
  // A fiber that leaves it meanwhile is asked in vain: its block stays.
  if (core::fiber* const f = owner_.load(std::memory_order_seq_cst)) core::ask_to_look(*f);
}

}  // namespace detail
}  // namespace weft
