// SPDX-License-Identifier: MIT
#include "core/hub.hpp"

#include "base/clock.hpp"
#include "core/clock.hpp"
#include "core/dump.hpp"
#include "core/random_schedule.hpp"
#include "core/scheduler.hpp"

namespace weft::core {

namespace {
// Idle stacks go back to the kernel this often at most, and only when the hub has nothing better to do.
constexpr std::int64_t trim_interval = 1'000'000'000;
// A sleep that a message ended this soon would have been better spent looking; then the next so many are.
constexpr std::int64_t worth_spinning = 100'000;
constexpr std::int64_t spin_time = 10'000;
constexpr int spins_granted = 8;
}  // namespace

bool hub::prepare(unsigned number) noexcept {
  index = number;
  loop_fiber.home = this;
  loop_fiber.light = false;
  loop_fiber.hooked = 1;
  loop_fiber.run = [](fiber& f) noexcept { f.home->run_loop(); };
  exceptions = context::exception_place::of_this_thread();  // until its own thread is known
  take_seed();
  return events.create();
}

// Asleep until @p until_ns of the kernel's time; 0: not at all.
void hub::look(std::int64_t until_ns) noexcept {
  events_in_batch_ = 0;
  poll_due = false;
  if (__builtin_expect(schedule_seed.load(std::memory_order_relaxed) != lots.seed(), 0)) take_seed();
  quantum = turn_;
  looked_at_switch_ = switches;
  events.run(until_ns != 0, until_ns);
  looked_at_ = base::monotonic_ns();
}

bool hub::time_to_look() noexcept {
  quantum = turn_;
  if (__builtin_expect(lots.on(), 0)) return draw_turn();
  if (inbox.load(std::memory_order_relaxed) == nullptr && base::monotonic_ns() - looked_at_ < poll_gap_ns) return false;
  poll_due = true;
  return true;
}

void hub::run_loop() noexcept {
  bool told = false;   // the watch, of the look that comes next
  bool awake = false;  // it wants no sleep
  bool idle = false;   // nothing was ready before the last look at I/O
  for (;;) {
    drain_inbox();
    fire_timers();
    if (poll_due) {
      begin_look();
      look(0);
      if (watch != nullptr) watch->after_poll(*this, false);
    }
    if (ready_head != nullptr) {
      // Back, because none was ready (then the wait below looks at the events too) or because a look is due.
      idle = false;
      switch_to(*this, *next_ready());
      continue;
    }
    if (stopping) return;
    if (idlers != nullptr) {
      if (idle) wake_idlers();
      poll_due = idle = !idle;
      continue;
    }
    if (watch != nullptr && !told) {
      told = true;
      awake = watch->before_poll(*this);
      if (ready_head != nullptr) continue;
    }
    told = false;
    if (awake) {
      begin_look();
      look(0);
      watch->after_poll(*this, true);
      awake = false;
      continue;
    }
    const std::int64_t now = base::monotonic_ns();
    if (now >= next_trim_) {
      next_trim_ = now + trim_interval;
      stacks.trim();
    }
    if (spin_for_messages()) continue;
    if (time_is_of_a_test()) {
      rest_in_test_time();
      continue;
    }
    report_deadlock(*this);
    begin_look();  // who sees us sleep, and sleep again, sees that it was not the same sleep
    sleeping.store(true, std::memory_order_seq_cst);
    // A message posted before the store above was seen was posted without a kick.
    if (inbox.load(std::memory_order_seq_cst) == nullptr && ready_head == nullptr) look(deadlines.next());
    sleeping.store(false, std::memory_order_relaxed);
    if (inbox.load(std::memory_order_relaxed) != nullptr && looked_at_ - now < worth_spinning) {
      spins_left_ = spins_granted;
    }
    if (watch != nullptr) watch->after_poll(*this, false);
  }
}

void hub::wake_idlers() noexcept {
  const int highest = idlers->priority;
  while (idlers != nullptr && idlers->priority == highest) {
    const idler* const first = idlers;
    idlers = first->next;
    unpark(first->who);
  }
}

bool hub::spin_for_messages() noexcept {
  if (spins_left_ == 0) return false;
  const std::int64_t until = base::monotonic_ns() + spin_time;
  do {
    for (int i = 0; i < 16; ++i) {
      if (inbox.load(std::memory_order_relaxed) != nullptr) {
        spins_left_ = spins_granted;
        return true;
      }
      __builtin_ia32_pause();
    }
  } while (base::monotonic_ns() < until);
  --spins_left_;
  return false;
}

void hub::post(message& m) noexcept {
  message* head = inbox.load(std::memory_order_relaxed);
  do {
    m.next = head;
  } while (!inbox.compare_exchange_weak(head, &m, std::memory_order_seq_cst, std::memory_order_relaxed));
  if (sleeping.load(std::memory_order_seq_cst) && sleeping.exchange(false, std::memory_order_seq_cst)) events.wake();
}

void hub::drain_inbox() noexcept {
  if (inbox.load(std::memory_order_relaxed) == nullptr) return;
  message* newest = inbox.exchange(nullptr, std::memory_order_acquire);
  message* oldest = nullptr;
  while (newest != nullptr) {
    message* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    message* m = oldest;
    oldest = m->next;
    m->run(*m, *this);
  }
}

}  // namespace weft::core
