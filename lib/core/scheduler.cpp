// SPDX-License-Identifier: MIT
#include "core/scheduler.hpp"

#include <utility>

#include "base/check.hpp"
#include "context/jump.hpp"
#include "context/thread_pointer.hpp"
#include "core/cancel.hpp"
#include "core/clock.hpp"
#include "core/dump.hpp"
#include "core/fork.hpp"
#include "core/thread_park.hpp"
#include "weft/this_fiber.hpp"

// The attribute again: without it this file would ask for the address by a call.
__attribute__((tls_model("initial-exec"))) __thread weft::core::hub* weft_this_hub = nullptr;

namespace weft::core {

namespace {

using boost::context::detail::make_fcontext;

// On the new context, before anything else: completes the switch that brought us here. @return the hub of both
__attribute__((always_inline)) inline hub& arrive(context::transfer from) noexcept {
  auto& left = *static_cast<fiber*>(from.data);
  hub& h = *left.home;
  left.sp = from.fctx;
  h.current->sanitizer.arrive_from(left.sanitizer);
  if (__builtin_expect(left.state == fiber_state::done, 0)) left.end(left, h);
  return h;
}

// Takes the next fiber for the running one to switch to.
__attribute__((always_inline)) inline fiber& pick(hub& h) noexcept {
  if ((__builtin_expect(--h.quantum <= 0, 0) && h.time_to_look()) || h.ready_head == nullptr) return h.loop_fiber;
  return *h.pop_ready();
}

[[noreturn]] void light_main(context::transfer from) noexcept;

// How far below its top a stack begins: 0 to 15 cache lines. All tops lie at the same place of a page, so the same few sets of the
// caches would hold what a switch touches of each fiber (docs/decisions/colours.md).
std::size_t colour_of(const std::byte* top) noexcept {
  constexpr std::size_t line = 64;
  // Spacings are powers of two from 2^14 on; the upper bits of a product mix all of them.
  return ((reinterpret_cast<std::uintptr_t>(top) >> 14) * std::uint64_t{0x9e37'79b9'7f4a'7c15} >> 60) * line;
}

// Gives an unstarted light fiber the stack it first runs on.
bool give_stack(hub& h, fiber& f) noexcept {
  f.stack = h.stacks.take(f.spacing);
  if (!f.stack) return false;
  --h.unbegun;
  const std::size_t colour = colour_of(f.stack.top);
  f.sp = make_fcontext(f.stack.top - colour, f.stack.size - colour, light_main);
  f.sanitizer.create(f.stack.top - f.stack.size, f.stack.size);
  return true;
}

// What light fibers share they take along: each finds errno as it left it, and no exceptions of others. Who leaves some there
// has taken them away (`switch_with_care`), so that nearly all need but a look.
//
// @return @p h. Who goes on with it, and with its `current`, needs nothing of before the switch: no register has to be kept.
__attribute__((always_inline)) inline hub& switch_clean(hub& h, fiber& from, fiber& to) noexcept {
  WEFT_ASSERT(&from != &to);
  to.state = fiber_state::running;
  h.current = &to;
  ++h.switches;
  // In this frame, not in the fiber: what a fiber needs first when it goes on must not hang on a chain of loads. A thread
  // fiber does it for nothing: that is cheaper than to ask.
  const int kept = *h.exceptions.error;
  from.sanitizer.leave_to(to.sanitizer, from.state == fiber_state::done);
  // Nothing thread-local may be touched from here to the jump.
  if (__builtin_expect(to.tp != from.tp, 0)) context::set_thread_pointer(to.tp);
  hub& here = arrive(context::jump(to.sp, &from));
  *here.exceptions.error = kept;
  return here;
}

// To one that has not begun, or from one that has caught an exception and has yet to leave the handler.
__attribute__((noinline)) hub& switch_with_care(hub& h, fiber& from, fiber& to) noexcept {
  // A spawn that cannot have a stack cannot be reported any more: spawn returned long ago.
  WEFT_REQUIRE(to.state != fiber_state::unstarted || give_stack(h, to));
  if (!from.light || h.exceptions.clean()) return switch_clean(h, from, to);
  const context::exception_place::globals kept = std::exchange(*h.exceptions.exceptions, {});
  hub& here = switch_clean(h, from, to);
  *here.exceptions.exceptions = kept;
  return here;
}

__attribute__((always_inline)) inline hub& switch_between(hub& h, fiber& from, fiber& to) noexcept {
  const context::exception_place::globals& shared = *h.exceptions.exceptions;
  const bool caught = (reinterpret_cast<std::uintptr_t>(shared.caught) | shared.uncaught) != 0;  // one branch
  if (__builtin_expect(to.state == fiber_state::unstarted || caught, 0)) {
    return switch_with_care(h, from, to);
  }
  return switch_clean(h, from, to);
}

[[noreturn]] void light_main(context::transfer from) noexcept {
  arrive(from);
  for (;;) {
    hub& h = *weft_this_hub;
    fiber& f = *h.current;
    *h.exceptions.error = 0;
    f.run(f);
    if (__builtin_expect(f.home != &h, 0)) end_of_survivor();
    f.state = fiber_state::done;
    fiber& next = pick(h);
#if !defined(WEFT_ASAN) && !defined(WEFT_TSAN)
    if (next.state == fiber_state::unstarted && next.light && next.spacing == f.spacing) {
      // The next one has no stack yet: it runs here, where this one has finished, and no switch is needed.
      next.stack = f.stack;
      f.stack = {};
      --h.unbegun;
      next.state = fiber_state::running;
      h.current = &next;
      f.end(f, h);
      ++h.switches;
      continue;
    }
#endif
    // Not a call: it would never return, and the processor's stack of return addresses would be one off.
    switch_between(h, f, next);
    __builtin_unreachable();
  }
}

[[noreturn]] void thread_main(context::transfer from) noexcept {
  fiber& f = *arrive(from).current;
  f.run(f);
  __builtin_unreachable();
}

// Notes that the park is over; @return whether the fiber has to be put into the run queue for it (one that has not
// parked yet, running or having let others run, will see that the epoch has passed).
__attribute__((always_inline)) inline bool end_park(fiber& f, std::uint64_t epoch, int reason) noexcept {
  if (f.epoch != epoch || f.state < fiber_state::ready || f.state > fiber_state::parked) return false;
  f.reason = static_cast<std::uint8_t>(reason);
  f.epoch = epoch + 1;
  return f.state == fiber_state::parked;
}

__attribute__((always_inline)) inline void wake_here(fiber& f, std::uint64_t epoch, int reason) noexcept {
  if (end_park(f, epoch, reason)) f.home->push_ready(f);
}

void wake_here_first(fiber& f, std::uint64_t epoch) noexcept {
  if (!end_park(f, epoch, woken)) return;
  f.state = fiber_state::ready;
  f.home->push_first(f);
}

void interrupt_here(fiber& f) noexcept {
  if (f.state == fiber_state::parked && f.interruptible) {
    wake_here(f, f.epoch, interrupted);
  } else {
    f.interrupt_pending = true;
  }
}

void enqueue_new(fiber& f, hub& h) noexcept {
  const bool unstarted = f.state == fiber_state::unstarted;
  h.all.push_back(&f);
  ++h.live;
  h.add_load(1);
  if (__builtin_expect(h.newcomers.target != nullptr, 0)) wake_here(*h.newcomers.target, h.newcomers.epoch, woken);
  if (__builtin_expect(f.due != timers::never, 0)) {
    f.state = fiber_state::delayed;
    if (f.due > now_ns() && h.deadlines.arm(f)) return;
    f.due = timers::never;
  }
  if (unstarted) {
    h.push_unbegun(f);
  } else {
    h.push_ready(f);
  }
}

void run_mail(message& m, hub& h) noexcept {
  fiber& f = *static_cast<fiber_message&>(m).owner;
  // In this order: a waker that finds its bit still up has stored its word before we read it.
  const unsigned asked = f.mail.exchange(0, std::memory_order_seq_cst);
  if ((asked & mail_launch) != 0) {
    enqueue_new(f, h);
    h.arriving.fetch_sub(1, std::memory_order_relaxed);
  }
  if ((asked & mail_wake) != 0) {
    const std::uint64_t word = f.remote_wake.load(std::memory_order_seq_cst);
    wake_here(f, word >> 8, static_cast<int>(word & 0xff));
  }
  if ((asked & mail_interrupt) != 0) interrupt_here(f);
  if ((asked & mail_cancel) != 0) look_at_requests(f);
}

}  // namespace

namespace {

// For once by way of the loop, which looks at I/O.
__attribute__((noinline)) hub& yield_to_loop(hub& h) noexcept {
  h.push_ready(*h.current);
  return switch_between(h, *h.current, h.loop_fiber);
}

__attribute__((always_inline)) inline hub& yield_to_next(hub& h) noexcept {
  fiber& f = *h.current;
  fiber* const next = h.ready_head;
  if (next == nullptr) return h;
  // A push and a pop in one: no word is loaded right after it was stored.
  f.state = fiber_state::ready;
  f.next = nullptr;
  if (next == h.ready_tail) {
    h.ready_head = &f;
  } else {
    h.ready_head = next->next;
    h.ready_tail->next = &f;
  }
  h.ready_tail = &f;
  return switch_between(h, f, *next);
}

__attribute__((noinline)) hub& yield_after_quantum(hub& h) noexcept {
  return h.time_to_look() ? yield_to_loop(h) : yield_to_next(h);
}

// @return @p h, as `switch_clean`
__attribute__((always_inline)) inline hub& yield_on(hub& h) noexcept {
  return __builtin_expect(--h.quantum <= 0, 0) ? yield_after_quantum(h) : yield_to_next(h);
}

}  // namespace

__attribute__((noinline)) void switch_to(hub& h, fiber& to) noexcept { switch_between(h, *h.current, to); }

namespace {

__attribute__((always_inline)) inline int park_in(waker w, std::int64_t due_ns, wait_kind kind, const void* object,
                                                  bool interruptible, bool cancellable) noexcept {
  hub& h = *weft_this_hub;
  fiber& f = *w.target;
  WEFT_ASSERT(f.wait == wait_kind::none);
  WEFT_EXPECT(&f == h.current, "a park with somebody else's waker");
#if defined(WEFT_CHECKS)
  if (h.draw_detour()) yield_on(h);
#endif
  if (f.epoch != w.epoch) return f.reason;  // woken already
  if (interruptible && f.interrupt_pending) {
    f.interrupt_pending = false;
    ++f.epoch;
    return interrupted;
  }
  bool record_is_first = false;
  if (cancellable) {
    cancellable = !is_unwinding(h, f);
    if (__builtin_expect(f.cancels != 0 && cancellable, 0)) {
      const cancel_view seen = view_records(f);
      if (seen.requested != nullptr) {
        ++f.epoch;
        return cancelled_wait;
      }
      record_is_first = seen.earliest < due_ns;
      if (record_is_first) due_ns = seen.earliest;
    }
  }
  f.due = due_ns;
  if (due_ns != timers::never && !h.deadlines.arm(f)) due_ns = timers::never;
  f.wait = kind;
  f.wait_object = object;
  f.interruptible = interruptible;
  f.cancellable = cancellable;
  f.state = fiber_state::parked;
  const bool outside = kind != wait_kind::object;
  if (outside) h.await(kind, 1);
  switch_between(h, f, pick(h));
  while (__builtin_expect(f.show_stack, 0)) show_own_stack(h, f);
  if (outside) h.await(kind, -1);
  f.wait = wait_kind::none;
  f.due = timers::never;
  WEFT_ASSERT(f.epoch != w.epoch);
  if (record_is_first && f.reason == timed_out) return cancelled_wait;
  return f.reason;
}

}  // namespace

int park(waker w, std::int64_t due_ns, wait_kind kind, const void* object, bool interruptible) noexcept {
  // A system call of a fiber that may be cancelled ends as if by a signal; the dispatcher then says why. Locks are not for that.
  const fiber& f = *w.target;
  const bool call = interruptible && kind != wait_kind::object && (f.cooperative || f.records != nullptr);
  const int reason = park_in(w, due_ns, kind, object, interruptible, call);
  return call && reason == cancelled_wait ? static_cast<int>(interrupted) : reason;
}

int park_cancellable(waker w, std::int64_t due_ns, wait_kind kind, const void* object) noexcept {
  return park_in(w, due_ns, kind, object, false, true);
}

void unpark_joiner(waker w) noexcept {
  hub* const home = w.target->home;
  if (home != nullptr && home == weft_this_hub && home->crowded()) {
    wake_here_first(*w.target, w.epoch);
  } else {
    unpark(w);
  }
}

void interrupt(fiber& f) noexcept {
  if (f.home == weft_this_hub) {
    interrupt_here(f);
  } else {
    post_mail(f, mail_interrupt);
  }
}

void yield() noexcept { yield_on(*weft_this_hub); }

void yield_and_poll() noexcept {
  hub& h = *weft_this_hub;
  h.poll_due = true;
  fiber* const last = h.ready_tail;
  h.fire_timers();  // whose time has come goes first: it has waited for this fiber's turn to end
  h.rotate_ready_behind(last);
  h.current->yielded = true;
  h.push_ready(*h.current);
  switch_to(h, h.loop_fiber);
}

void hub::wake_from_event(waker w, int reason) noexcept {
  fiber& f = *w.target;
  if (!end_park(f, w.epoch, reason)) return;
  if (current != &loop_fiber) {
    push_ready(f);
    return;
  }
  if (sleeping.load(std::memory_order_relaxed)) sleeping.store(false, std::memory_order_relaxed);
  quantum = turn_;
  if ((++events_in_batch_ & direct_mask_) != 0) {
    switch_to(*this, f);
    return;
  }
  // A long batch of events: whoever is ready or due otherwise has a turn in between. The events themselves are not queued,
  // because the next look at the kernel would report them all again.
  push_ready(f);
  drain_inbox();
  fire_timers();
  switch_to(*this, *next_ready());
}

void hub::rotate_ready_behind(fiber* last) noexcept {
  fiber*& first = last == nullptr ? ready_head : last->next;
  unsigned count = 0;
  for (const fiber* f = first; f != nullptr; f = f->next) ++count;
  if (count < 2) return;
  const unsigned turns = lottery.below(count);
  if (turns == 0) return;
  fiber* cut = first;
  for (unsigned i = 1; i < turns; ++i) cut = cut->next;
  ready_tail->next = first;
  first = cut->next;
  cut->next = nullptr;
  ready_tail = cut;
  for (fiber* f = last == nullptr ? ready_head : last; f->next != nullptr; f = f->next) link_unbegun(*f->next, *f);
}

void hub::prefer(fiber& f) noexcept {
  // Who is not linked is still on its way here from another thread.
  if (!crowded() || f.state != fiber_state::unstarted || !f.linked() || ready_head == &f) return;
  if (++preferred_ == crowd) {
    preferred_ = 0;
    return;
  }
  move_first(f, *static_cast<fiber*>(f.sp));
}

void hub::fire_timers() noexcept {
  if (deadlines.count() == 0) return;
  const std::int64_t now = now_ns();
  while (fiber* f = deadlines.pop(now)) {
    if (__builtin_expect(f->records != nullptr, 0)) fire_records(*f, now);
    if (f->due == timers::never) continue;
    if (f->due > now) {
      deadlines.arm(*f);
    } else if (f->state == fiber_state::delayed) {
      start_now(*f);
    } else if (f->state == fiber_state::parked) {
      wake_here(*f, f->epoch, timed_out);
    }
  }
}

void prepare_mail(fiber& f) noexcept {
  if (f.mail_message.owner != nullptr) return;  // a reused block: its message may be under way even now
  f.mail_message.owner = &f;
  f.mail_message.run = run_mail;
}

void post_mail(fiber& f, mail_bit what) noexcept {
  if (f.mail.fetch_or(what, std::memory_order_seq_cst) == 0) f.home->post(f.mail_message);
}

void start_now(fiber& f) noexcept {
  hub& h = *f.home;
  h.deadlines.drop(f);
  f.due = timers::never;
  h.push_unbegun(f);
}

void launch(fiber& f, std::int64_t start_ns) noexcept {
  hub& h = *f.home;
  f.due = start_ns == 0 ? timers::never : start_ns;
  prepare_mail(f);
  if (&h == weft_this_hub) {
    enqueue_new(f, h);
    return;
  }
  h.arriving.fetch_add(1, std::memory_order_relaxed);
  post_mail(f, mail_launch);
}

void make_context(fiber& f, void* stack_top) noexcept {
  f.sp = make_fcontext(reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(stack_top) & ~std::uintptr_t{15}), 4096,
                       thread_main);
  f.state = fiber_state::ready;
}

void finish() noexcept {
  hub& h = *weft_this_hub;
  h.current->state = fiber_state::done;
  switch_to(h, pick(h));
  __builtin_unreachable();
}

}  // namespace weft::core

void weft::unpark(waker w, int reason) noexcept {
  core::fiber& f = *w.target;
  core::hub* const home = f.home;
  if (home == weft_this_hub && home != nullptr) {
    core::wake_here(f, w.epoch, reason);
    return;
  }
  if (home == nullptr) return core::unpark_thread(w, reason);
  // To be written at once: a look first would fetch a line twice.
  __builtin_prefetch(&f.remote_wake, 1);
  __builtin_prefetch(&home->inbox, 1);
  const std::uint64_t word = w.epoch << 8 | static_cast<unsigned>(reason);
  std::uint64_t seen = f.remote_wake.load(std::memory_order_relaxed);
  do {
    // Never let a late or second waker hide the first of the present park.
    if (w.epoch <= seen >> 8) return;
  } while (!f.remote_wake.compare_exchange_weak(seen, word, std::memory_order_seq_cst));
  core::post_mail(f, core::mail_wake);
}

namespace weft::this_fiber {

void yield() {
  core::hub* const mine = weft_this_hub;
  if (mine == nullptr) return;
  core::hub& h = core::yield_on(*mine);
  core::fiber& f = *h.current;
  if (__builtin_expect((f.cancels & core::cancel_noted) != 0, 0)) core::throw_if_cancelled(h, f);
}

}  // namespace weft::this_fiber
