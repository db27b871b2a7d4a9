// SPDX-License-Identifier: MIT
#include "fd/watch.hpp"

#include <errno.h>

#include <mutex>
#include <new>

#include "base/memory.hpp"
#include "base/syscall.hpp"
#include "core/fork.hpp"
#include "core/scheduler.hpp"
#include "fd/table.hpp"

namespace weft::fd {

namespace {

// A wake's reasons beside core's own.
constexpr int closed_reason = 16;
constexpr int stale_reason = 17;

// An armed watcher whose event nobody waits for is left alone this often: the one just woken may be about to come back,
// and to stop a watcher costs two epoll_ctl.
constexpr int patience = 3;

constinit base::slab blocks(sizeof(watch));
constinit base::spinlock free_lock;
constinit watch* free_watches = nullptr;

void on_event(loop::io& io) noexcept;
void on_approach(loop::io& io, unsigned ahead) noexcept;
void run_arm(core::message& m, core::hub& h) noexcept;
void run_drop(core::message& m, core::hub& h) noexcept;

watch& owner_of(core::message& m) noexcept { return *static_cast<watch::request&>(m).owner; }

watch* take_watch(int fd) noexcept {
  watch* w = nullptr;
  {
    const std::lock_guard guard(free_lock);
    w = free_watches;
    if (w != nullptr) free_watches = w->next_free;
  }
  if (w == nullptr) {
    static constinit core::fork_hook hook{forget_all};
    core::on_fork(hook);
    void* storage = blocks.take();
    if (storage == nullptr) return nullptr;
    w = new (storage) watch;
    for (const direction d : {direction::read, direction::write}) {
      w->sides[static_cast<int>(d)].owner = w;
      w->sides[static_cast<int>(d)].dir = d;
    }
    w->arm_message.owner = w->drop_message.owner = w;
    w->arm_message.run = run_arm;
    w->drop_message.run = run_drop;
  }
  const std::lock_guard guard(w->lock);
  w->gone = w->shut = w->lost = w->copied = w->arm_asked = false;
  w->fd = fd;
  w->users = 0;
  w->busy.store(0, std::memory_order_relaxed);
  w->home = core::this_hub();
  for (watch::side& s : w->sides) {
    s.placed = s.armed = false;
    s.misses = 0;
    s.added = w->home->polls.load(std::memory_order_relaxed) - 1;
  }
  return w;
}

void give_watch(watch& w) noexcept {
  {
    const std::lock_guard guard(w.lock);
    w.gone = true;
    w.fd = -1;
  }
  const std::lock_guard guard(free_lock);
  w.next_free = free_watches;
  free_watches = &w;
}

// On the home hub, under the lock. Not between the beginning of a close and the copy: the number may be another file's when
// the loop comes to register it. Who gives the copy asks again.
void arm(watch& w, watch::side& s) noexcept {
  if (s.armed || w.fd < 0 || (w.gone && !w.copied)) return;
  if (!s.placed) {
    s.set(w.fd, s.dir, on_event, on_approach);
    s.placed = true;
  }
  s.start(w.home->events.get());
  s.armed = true;
  s.misses = 0;
}

// On the home hub.
void stop_sides(watch& w) noexcept {
  for (watch::side& s : w.sides) {
    if (s.placed && s.active()) s.stop(w.home->events.get());
    s.placed = s.armed = false;
  }
}

// On the home hub: somebody began to wait elsewhere, or the descriptor was moved to a private copy.
void run_arm(core::message& m, core::hub&) noexcept {
  watch& w = owner_of(m);
  const std::lock_guard guard(w.lock);
  w.arm_asked = false;
  for (watch::side& s : w.sides) {
    if (s.placed && s.fd() != w.fd) {
      if (s.active()) s.stop(w.home->events.get());
      s.placed = s.armed = false;
    }
    if (!s.waiters.empty()) arm(w, s);
  }
}

void ask_to_arm(watch& w) noexcept {
  if (w.arm_asked) return;
  w.arm_asked = true;
  w.home->post(w.arm_message);
}

// On the home hub, when nobody uses the watch any more.
void run_drop(core::message& m, core::hub& h) noexcept {
  watch& w = owner_of(m);
  stop_sides(w);
  if (w.copied && w.fd >= 0) {
    h.events.forget(w.fd);
    unreserve(w.fd);
    base::raw_syscall(SYS_close, w.fd);
  }
  give_watch(w);
}

void drop(watch& w) noexcept {
  if (w.home == core::this_hub() && !w.arm_asked) {
    run_drop(w.drop_message, *w.home);
  } else {
    w.home->post(w.drop_message);
  }
}

// Takes the waiters that an event is for: all that are not exclusive, as far as there is room, and one that is.
int take_waiters(watch::side& s, core::waker* out, int room, bool all) noexcept {
  int n = 0;
  bool one = false;
  for (waiter* at = s.waiters.front(); at != nullptr && n < room;) {
    waiter* const following = s.waiters.after(at);
    if (all || !at->exclusive || !one) {
      one = one || at->exclusive;
      at->unlink();
      at->queued = false;
      if (at->told != nullptr) {
        at->told(*at);
      } else {
        out[n++] = at->who;
      }
    }
    at = following;
  }
  return n;
}

void on_approach(loop::io& io, unsigned ahead) noexcept {
  auto& s = static_cast<watch::side&>(io);
  if (ahead > 2) {
    __builtin_prefetch(&s.owner);
    return;
  }
  const core::fiber* const f = s.expected.load(std::memory_order_relaxed);
  if (f == nullptr) return;
  if (ahead > 1) {
    core::fetch_block(*f);
  } else {
    core::fetch_stack(*f);
  }
}

void on_event(loop::io& io) noexcept {
  constexpr int room = 16;
  auto& s = static_cast<watch::side&>(io);
  watch& w = *s.owner;
  core::hub& h = *w.home;
  core::waker woken[room];
  int n;
  {
    const std::lock_guard guard(w.lock);
    // Who began to wait behind this very look at the kernel tried, and found nothing: the event is from before. If there
    // is something after all, it comes again.
    if (s.added == h.polls.load(std::memory_order_relaxed) && s.active() && !s.waiters.empty()) return;
    if (!s.active()) s.placed = s.armed = false;  // libev gave up on the number: a system call will tell why
    const bool served = !s.waiters.empty();
    n = take_waiters(s, woken, room, false);
    if (served) {
      s.misses = 0;
    } else if (s.armed && (w.gone || ++s.misses >= patience)) {
      s.stop(h.events.get());
      s.armed = false;
    }
  }
  // The wakers are copies: a fiber that runs at once may end the watch, or let the others go on.
  for (int i = 0; i < n; ++i) {
    if (woken[i].target->home == &h) {
      h.wake_from_event(woken[i], core::woken);
    } else {
      core::unpark(woken[i]);
    }
  }
}

outcome outcome_of(int reason) noexcept {
  switch (reason) {
    case core::timed_out:
      return outcome::timed_out;
    case core::interrupted:
      return outcome::interrupted;
    case core::cancelled_wait:
      return outcome::cancelled;
    case closed_reason:
      return outcome::closed;
    case stale_reason:
      return outcome::stale;
    default:
      return outcome::woken;
  }
}

// Under the lock.
void wake_all(watch& w, int reason) noexcept {
  for (watch::side& s : w.sides) {
    core::waker woken[16];
    for (int n; (n = take_waiters(s, woken, 16, true)) > 0;) {
      for (int i = 0; i < n; ++i) core::unpark(woken[i], reason);
    }
  }
}

// Under the lock.
void dequeue(waiter& n) noexcept {
  if (!n.queued) return;
  n.unlink();
  n.queued = false;
}

void give_up(watch& w) noexcept {
  bool last;
  {
    const std::lock_guard guard(w.lock);
    last = --w.users == 0 && w.gone;
  }
  if (last) drop(w);
}

// The watch has left its slot, where a close was in the way of its making: nobody can say which file its users mean.
void lose(watch& w) noexcept {
  {
    const std::lock_guard guard(w.lock);
    ++w.users;
    w.gone = w.lost = true;
    __atomic_store_n(&w.fd, -1, __ATOMIC_RELEASE);
    ask_to_arm(w);  // stops the watchers
    wake_all(w, stale_reason);
  }
  give_up(w);
}

// @return the watch of the number as it was at `generation`, pinned; nullptr with `error` 0 if it was closed since
watch* pin_at(slot& s, int fd, std::uint32_t generation, long& error) noexcept {
  error = 0;
  for (;;) {
    watch* w = s.attached.load(std::memory_order_acquire);
    if (w == nullptr) {
      watch* fresh = take_watch(fd);
      if (fresh == nullptr) {
        error = -ENOMEM;
        return nullptr;
      }
      if (!s.attached.compare_exchange_strong(w, fresh, std::memory_order_seq_cst)) {
        give_watch(*fresh);
        continue;
      }
      // A close counts, then looks for a watch: one of the two of us sees the other.
      if (s.generation.load(std::memory_order_seq_cst) != generation) {
        w = fresh;
        if (s.attached.compare_exchange_strong(w, nullptr, std::memory_order_seq_cst)) lose(*fresh);
        return nullptr;
      }
      w = fresh;
    }
    const std::lock_guard guard(w->lock);
    if (s.generation.load(std::memory_order_seq_cst) != generation) return nullptr;
    if (w->gone || s.attached.load(std::memory_order_relaxed) != w) continue;
    ++w->users;
    return w;
  }
}

// Takes the number from its watch, which nobody finds any more then. @param copied  the users of the watch get a copy of the
// description, which keeps it alive
// @return the watch, pinned, or nullptr if there is none
watch* detach(int fd, bool copied) noexcept {
  slot* s = peek(fd);
  if (s == nullptr || s->has(slot::reserved)) return nullptr;
  const bool sole = is_sole(*s);
  s->flags.store(slot::closing, std::memory_order_relaxed);
  s->generation.fetch_add(1, std::memory_order_seq_cst);
  watch* w = s->attached.exchange(nullptr, std::memory_order_seq_cst);
  if (w == nullptr) return nullptr;
  bool registered = false;
  {
    const std::lock_guard guard(w->lock);
    w->gone = true;
    for (const watch::side& side : w->sides) registered = registered || side.placed;
    registered = registered && (!sole || (copied && w->users > 0));
    ++w->users;
  }
  if (registered) w->home->events.forget(fd);
  return w;
}

// Lets the calls end that are on their way to the kernel with the number.
void await_calls(const watch& w) noexcept {
  for (int i = 0; w.busy.load(std::memory_order_acquire) > 0; ++i) {
    if (i < 100) {
      __builtin_ia32_pause();
    } else {
      base::raw_syscall(SYS_sched_yield);
    }
  }
}

}  // namespace

watch* pin(int fd) noexcept {
  slot* s = find(fd);
  if (s == nullptr) return nullptr;
  for (;;) {
    const std::uint32_t generation = s->generation.load(std::memory_order_seq_cst);
    // A watch is made for a file that exists: one of a free number would be found by whoever gets that number next.
    if (s->attached.load(std::memory_order_acquire) == nullptr && !is_open(fd)) return nullptr;
    long error;
    watch* w = pin_at(*s, fd, generation, error);
    if (w != nullptr || error != 0) return w;
  }
}

void unpin(watch& w) noexcept { give_up(w); }

void add_waiter_held(watch& w, direction dir, waiter& n) noexcept {
  if (w.shut || w.lost) {
    if (n.told != nullptr) return n.told(n);
    core::unpark(n.who, w.shut ? closed_reason : stale_reason);
    return;
  }
  watch::side& s = w.sides[static_cast<int>(dir)];
  n.queued = true;
  s.waiters.push_back(&n);
  if (w.home == core::this_hub()) {
    s.added = w.home->polls.load(std::memory_order_relaxed);
    s.expected.store(n.who.target, std::memory_order_relaxed);
  }
  if (s.armed) return;
  if (w.home == core::this_hub()) {
    arm(w, s);
  } else {
    ask_to_arm(w);
  }
}

bool remove_waiter(watch& w, waiter& n) noexcept {
  const std::lock_guard guard(w.lock);
  dequeue(n);
  return !w.gone;
}

long hold::take(int fd, std::uint32_t generation) noexcept {
  slot* s = find(fd);
  if (s == nullptr) return -ENOMEM;
  long error;
  watch_ = pin_at(*s, fd, generation, error);
  return watch_ != nullptr ? 0 : error != 0 ? error : -ESTALE;
}

outcome hold::wait(direction dir, std::int64_t due_ns, bool interruptible) noexcept {
  watch& w = *watch_;
  waiter n;
  n.who = core::prepare_park();
  {
    const std::lock_guard guard(w.lock);
    if (busy_) w.busy.fetch_sub(1, std::memory_order_release);
    add_waiter_held(w, dir, n);
  }
  const int reason = core::park(n.who, due_ns, core::wait_kind::fd, &w, interruptible);
  const std::lock_guard guard(w.lock);
  dequeue(n);
  w.busy.fetch_add(1, std::memory_order_relaxed);
  busy_ = true;
  // Also if the wait ended otherwise at the same moment: `fd` names nothing any more.
  return w.lost ? outcome::stale : outcome_of(reason);
}

void hold::rest() noexcept {
  if (!busy_) return;
  const std::lock_guard guard(watch_->lock);
  watch_->busy.fetch_sub(1, std::memory_order_release);
  busy_ = false;
}

void hold::release() noexcept {
  rest();
  unpin(*watch_);
}

outcome wait(watch& w, direction dir, std::int64_t due_ns, bool interruptible, bool exclusive) noexcept {
  waiter n;
  n.who = core::prepare_park();
  n.exclusive = exclusive;
  add_waiter(w, dir, n);
  const int reason = core::park(n.who, due_ns, core::wait_kind::fd, &w, interruptible);
  remove_waiter(w, n);
  return outcome_of(reason);
}

outcome wait_cancellable(watch& w, direction dir, std::int64_t due_ns) noexcept {
  waiter n;
  n.who = core::prepare_park();
  add_waiter(w, dir, n);
  const int reason = core::park_cancellable(n.who, due_ns, core::wait_kind::fd, &w);
  remove_waiter(w, n);
  return outcome_of(reason);
}

outcome wait_fd(int fd, direction dir, std::int64_t due_ns, bool interruptible) noexcept {
  watch* w = pin(fd);
  if (w == nullptr) return outcome::woken;
  const outcome o = wait(*w, dir, due_ns, interruptible);
  unpin(*w);
  return o;
}

void before_close(int fd) noexcept {
  watch* w = detach(fd, true);
  if (w == nullptr) return;
  {
    const std::lock_guard guard(w->lock);
    if (w->users > 1) {
      const int copy = private_copy(fd);
      __atomic_store_n(&w->fd, copy < 0 ? -1 : copy, __ATOMIC_RELEASE);
      w->copied = copy >= 0;
      // On its home the watchers are stopped and, where somebody waits, armed for the copy. If there is none the waiters
      // must look for themselves.
      ask_to_arm(*w);
      if (copy < 0) wake_all(*w, core::woken);
    }
  }
  await_calls(*w);
  unpin(*w);
}

void after_close(int fd) noexcept {
  slot* s = peek(fd);
  if (s == nullptr) return;
  std::uint32_t expected = slot::closing;
  s->flags.compare_exchange_strong(expected, 0, std::memory_order_relaxed);
  s->generation.fetch_add(1, std::memory_order_seq_cst);
  lose(fd);
}

void lose(int fd) noexcept {
  slot* s = peek(fd);
  if (s == nullptr || s->attached.load(std::memory_order_seq_cst) == nullptr) return;
  if (watch* w = s->attached.exchange(nullptr, std::memory_order_seq_cst)) lose(*w);
}

void shut_waking(int fd, std::uint32_t pins) noexcept {
  watch* w = detach(fd, false);
  if (w == nullptr) return;
  {
    const std::lock_guard guard(w->lock);
    w->shut = true;
    __atomic_store_n(&w->fd, -1, __ATOMIC_RELEASE);
    if (w->users > pins + 1) ask_to_arm(*w);  // stops the watchers
    wake_all(*w, closed_reason);
  }
  await_calls(*w);
  unpin(*w);
}

long close_waking(int fd) noexcept {
  shut_waking(fd, 0);
  const long result = base::raw_syscall(SYS_close, fd);
  after_close(fd);
  return result;
}

}  // namespace weft::fd
