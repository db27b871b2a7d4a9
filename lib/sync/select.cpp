// SPDX-License-Identifier: MIT
#include "weft/select.hpp"

#include <algorithm>
#include <mutex>
#include <span>
#include <stdexcept>
#include <utility>

#include "base/clock.hpp"
#include "core/clock.hpp"

namespace weft::detail {

namespace {

// A place to start that differs from call to call, and no call of libc: xorshift64.
std::uint64_t next_random() noexcept {
  __attribute__((tls_model("initial-exec"))) static __thread std::uint64_t state = 0;
  if (state == 0) state = static_cast<std::uint64_t>(base::monotonic_ns()) | 1;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

void shuffle(std::span<select_case*> cases) noexcept {
  for (std::size_t left = cases.size(); left > 1; --left) std::swap(cases[left - 1], cases[next_random() % left]);
}

channel_case& as_channel(select_case* c) noexcept { return static_cast<channel_case&>(*c); }

// The channels of one select, which stand first among its cases, by the address of their locks: so that two selects over
// the same channels take the locks in the same order.
class channels {
 public:
  explicit channels(std::span<select_case*> cases) noexcept {
    const auto end = std::partition(cases.begin(), cases.end(),
                                    [](select_case* c) { return c->what == select_case::kind::channel; });
    std::sort(cases.begin(), end,
              [](select_case* a, select_case* b) { return &as_channel(a).lock() < &as_channel(b).lock(); });
    cases_ = {cases.begin(), end};
  }

  void lock() noexcept {
    for_each_lock([](spinlock& l) { l.lock(); });
  }
  void unlock() noexcept {
    for_each_lock([](spinlock& l) { l.unlock(); });
  }

  // Under all locks.
  select_case* attempt(waker& wake) noexcept {
    for (select_case* c : cases_) {
      if (as_channel(c).attempt_held(wake)) return c;
    }
    return nullptr;
  }
  void enter_queues(select_claim& claim, waker who) noexcept {
    for (select_case* c : cases_) {
      channel_waiter& w = as_channel(c).waiter;
      w.who = who;
      w.select = &claim;
      w.index = c->index;
      w.served = false;
      as_channel(c).enter();
    }
  }

  // Once the claim is closed. Whoever has claimed a case holds its channel's lock until the value is handed over.
  void leave_queues() noexcept {
    for (select_case* c : cases_) {
      const std::lock_guard held(as_channel(c).lock());
      as_channel(c).queue().remove(as_channel(c).waiter);
    }
  }

 private:
  template <class F>
  void for_each_lock(F f) noexcept {
    spinlock* before = nullptr;
    for (select_case* c : cases_) {
      spinlock& one = as_channel(c).lock();
      if (&one != before) f(one);
      before = &one;
    }
  }

  std::span<select_case*> cases_;
};

// The subscriptions to the objects of one select, as long as this lives.
class watched_objects {
 public:
  explicit watched_objects(std::span<select_case*> cases) : cases_(cases) {
    for (select_case* c : cases) {
      if (c->what != select_case::kind::object) continue;
      any_ = true;
      object_case& object = *static_cast<object_case*>(c);
      object.pull.bell = &bell_;
      object.pull.notify = [](subscription& s) noexcept { static_cast<object_case::rope&>(s).bell->ring(); };
      try {
        object.pull.who = prepare_park();  // tells whose it is: the bell alone wakes
        object.subscribe(object.pull);
      } catch (...) {
        leave();
        throw;
      }
      object.subscribed = true;
    }
  }
  watched_objects(const watched_objects&) = delete;
  watched_objects& operator=(const watched_objects&) = delete;
  ~watched_objects() { leave(); }

  // As the bell's; without objects they cost nothing.
  void reset() noexcept {
    if (any_) bell_.reset();
  }
  bool arm(waker who) noexcept { return !any_ || bell_.arm(who); }
  void disarm() noexcept {
    if (any_) bell_.disarm();
  }

 private:
  void leave() noexcept {
    if (!any_) return;
    for (select_case* c : cases_) {
      if (c->what != select_case::kind::object) continue;
      object_case& object = *static_cast<object_case*>(c);
      if (std::exchange(object.subscribed, false)) object.unsubscribe(object.pull);
    }
  }

  std::span<select_case*> cases_;
  select_bell bell_;
  bool any_ = false;
};

select_case* first_timer(std::span<select_case*> cases) noexcept {
  select_case* first = nullptr;
  deadline earliest;
  for (select_case* c : cases) {
    if (c->what != select_case::kind::timer) continue;
    const deadline due = static_cast<timer_case*>(c)->due();
    if (first == nullptr || due < earliest) {
      first = c;
      earliest = due;
    }
  }
  return first;
}

// One round of waiting. @return the index of the case that was done; nothing if one may have become ready meanwhile.
struct round_end {
  std::optional<std::size_t> done;
  bool timed_out = false;
};

round_end wait_for_one(std::span<select_case*> cases, watched_objects& objects, deadline by) {
  channels over(cases);
  select_claim claim;
  const waker who = prepare_park();
  waker wake{};
  over.lock();
  select_case* const at_once = over.attempt(wake);
  if (at_once == nullptr) over.enter_queues(claim, who);
  over.unlock();
  if (at_once != nullptr) {
    if (wake.target != nullptr) unpark(wake);
    return {at_once->index, false};
  }
  select_case* const timer = first_timer(cases);
  const bool timer_first = timer != nullptr && static_cast<timer_case*>(timer)->due() <= by;
  const deadline until = timer_first ? static_cast<timer_case*>(timer)->due() : by;
  const int ended = objects.arm(who) ? park(who, until, &claim) : static_cast<int>(woken);
  const std::uint32_t served = claim.close();
  objects.disarm();
  over.leave_queues();
  if (served != select_claim::open) return {served, false};
  if (ended == cancelled_wait) throw_cancelled();
  if (ended != timed_out) return {};
  if (timer_first) return {timer->index, false};
  return {std::nullopt, true};
}

// Tries the cases, or the objects among them alone.
std::optional<std::size_t> attempt(std::span<select_case*> cases, bool objects_alone = false) {
  for (select_case* c : cases) {
    if ((!objects_alone || c->what == select_case::kind::object) && c->attempt()) return c->index;
  }
  return std::nullopt;
}

// @return the index of the case that was done, if one was
std::optional<std::size_t> choose(std::span<select_case*> cases, deadline by) {
  if (const auto done = attempt(cases)) return done;
  for (const select_case* c : cases) {
    if (c->what == select_case::kind::otherwise) return c->index;
  }
  watched_objects objects(cases);
  for (bool first = true;; first = false) {
    objects.reset();
    // At first only what became ready before it could tell.
    if (const auto done = attempt(cases, first)) return done;
    const round_end end = wait_for_one(cases, objects, by);
    if (end.done || end.timed_out) return end.done;
    shuffle(cases);
  }
}

}  // namespace

void select_bell::ring() noexcept {
  const std::lock_guard guard(lock_);
  rung_ = true;
  if (std::exchange(armed_, false)) unpark(who_);
}

void select_bell::reset() noexcept {
  const std::lock_guard guard(lock_);
  rung_ = false;
}

bool select_bell::arm(waker who) noexcept {
  const std::lock_guard guard(lock_);
  who_ = who;
  armed_ = !rung_;
  return armed_;
}

void select_bell::disarm() noexcept {
  const std::lock_guard guard(lock_);
  armed_ = false;
}

bool timer_case::attempt() { return !due_.is_never() && due_.ns() <= core::now_ns(); }

std::optional<std::size_t> select_one(std::span<select_case*> cases, deadline by) {
  std::uint32_t index = 0;
  for (select_case* c : cases) {
    if (c == nullptr) throw std::invalid_argument("weft::select: a case that is a null pointer");
    c->index = index++;
  }
  index = 0;
  for (const select_case* c : cases) {
    if (c->index != index++) throw std::invalid_argument("weft::select: a case that is given twice");
  }
  shuffle(cases);
  const std::optional<std::size_t> done = choose(cases, by);
  if (!done) return done;
  // Behind everything else: it may wait, throw, and select itself.
  (*std::find_if(cases.begin(), cases.end(), [&](select_case* c) { return c->index == *done; }))->run();
  return done;
}

}  // namespace weft::detail
