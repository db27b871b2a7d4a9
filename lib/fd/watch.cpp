// SPDX-License-Identifier: MIT
#include "fd/watch.hpp"

#include <errno.h>

#include <mutex>
#include <new>

#include "base/memory.hpp"
#include "base/syscall.hpp"
#include "core/fork.hpp"
#include "core/local_hub.hpp"
#include "core/scheduler.hpp"
#include "fd/table.hpp"
#include "fd/watch_parts.hpp"

namespace weft::fd {

namespace {

// An armed watcher whose event nobody waits for is left alone this often: the one just woken may be about to come back,
// and to stop a watcher costs two epoll_ctl.
constexpr int patience = 3;

constinit base::slab blocks(sizeof(watch));
constinit base::spinlock free_lock;
constinit watch* free_watches = nullptr;
constinit std::atomic<watch*> all_watches{nullptr};  // grows only; under the same lock

void on_event(loop::io& io) noexcept;
void on_approach(loop::io& io, unsigned ahead) noexcept;
void run_arm(core::message& m, core::hub& h) noexcept;
void run_drop(core::message& m, core::hub& h) noexcept;
void move_from(core::hub& h) noexcept;

watch& owner_of(core::message& m) noexcept { return *static_cast<watch::request&>(m).owner; }

// Under the lock: @p h is to be its home.
void settle(watch& w, core::hub& h) noexcept {
  w.home = &h;
  for (watch::side& s : w.sides) {
    s.placed = s.armed = false;
    s.misses = 0;
    s.added = h.polls.load(std::memory_order_relaxed) - 1;
  }
}

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
    core::before_hub_is_left.store(move_from, std::memory_order_release);
    const std::lock_guard guard(free_lock);
    w->next_made = all_watches.load(std::memory_order_relaxed);
    all_watches.store(w, std::memory_order_release);
  }
  const std::lock_guard guard(w->lock);
  w->gone = w->shut = w->lost = w->copied = w->arm_asked = false;
  w->fd = fd;
  w->users = 0;
  w->busy.store(0, std::memory_order_relaxed);
  settle(*w, *core::this_hub());
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

void finish_drop(watch& w) noexcept {
  if (w.copied && w.fd >= 0) {
    unreserve(w.fd);
    base::raw_syscall(SYS_close, w.fd);
  }
  give_watch(w);
}

// On the home hub, when nobody uses the watch any more.
void run_drop(core::message& m, core::hub& h) noexcept {
  watch& w = owner_of(m);
  stop_sides(w);
  if (w.copied && w.fd >= 0) h.events.forget(w.fd);
  finish_drop(w);
}

void drop(watch& w) noexcept {
  if (w.home == nullptr) {
    finish_drop(w);
  } else if (w.home == core::this_hub() && !w.arm_asked) {
    run_drop(w.drop_message, *w.home);
  } else {
    w.home->post(w.drop_message);
  }
}

// Another hub where somebody waits for one of its directions.
core::hub* other_hub_of(watch& w) noexcept {
  for (watch::side& s : w.sides) {
    for (waiter* n = s.waiters.front(); n != nullptr; n = s.waiters.after(n)) {
      if (n->who.target != nullptr && n->who.target->home != w.home) return n->who.target->home;
    }
  }
  return nullptr;
}

// Under the lock: those that want to be told, and to whom no hub can be assigned, look for themselves.
void tell_all(watch& w) noexcept {
  for (watch::side& s : w.sides) {
    for (waiter* at = s.waiters.front(); at != nullptr;) {
      waiter* const following = s.waiters.after(at);
      if (at->told != nullptr) {
        at->unlink();
        at->queued = false;
        at->told(*at);
      }
      at = following;
    }
  }
}

// On @p h, whose thread ends.
void move_from(core::hub& h) noexcept {
  for (watch* w = all_watches.load(std::memory_order_acquire); w != nullptr; w = w->next_made) {
    std::unique_lock guard(w->lock);
    while (w->home == &h && w->arm_asked) {
      guard.unlock();
      h.drain_inbox();
      guard.lock();
    }
    if (w->home != &h || (w->gone && w->users == 0)) continue;  // free, or its drop is on its way here
    stop_sides(*w);
    core::hub* const next = other_hub_of(*w);
    if (next != nullptr) {
      settle(*w, *next);
      ask_to_arm(*w);
    } else {
      w->home = nullptr;
      tell_all(*w);
    }
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
  // The wakers are copies: a fiber that runs at once may end the watch, or let the others go on. Or its thread, and this loop
  // with it: so those of other hubs come first.
  for (int i = 0; i < n; ++i) {
    if (woken[i].target->home != &h) core::unpark(woken[i]);
  }
  for (int i = 0; i < n; ++i) {
    if (woken[i].target->home == &h) h.wake_from_event(woken[i], core::woken);
  }
}

}  // namespace

void ask_to_arm(watch& w) noexcept {
  if (w.arm_asked || w.home == nullptr) return;
  w.arm_asked = true;
  w.home->post(w.arm_message);
}

void wake_all(watch& w, int reason) noexcept {
  for (watch::side& s : w.sides) {
    core::waker woken[16];
    for (int n; (n = take_waiters(s, woken, 16, true)) > 0;) {
      for (int i = 0; i < n; ++i) core::unpark(woken[i], reason);
    }
  }
}

void lose(watch& w) noexcept {
  {
    const std::lock_guard guard(w.lock);
    ++w.users;
    w.gone = w.lost = true;
    __atomic_store_n(&w.fd, -1, __ATOMIC_RELEASE);
    ask_to_arm(w);  // stops the watchers
    wake_all(w, stale_reason);
  }
  unpin(w);
}

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

void unpin(watch& w) noexcept {
  bool last;
  {
    const std::lock_guard guard(w.lock);
    last = --w.users == 0 && w.gone;
  }
  if (last) drop(w);
}

void add_waiter_held(watch& w, direction dir, waiter& n) noexcept {
  if (w.shut || w.lost) {
    if (n.told != nullptr) return n.told(n);
    core::unpark(n.who, w.shut ? closed_reason : stale_reason);
    return;
  }
  watch::side& s = w.sides[static_cast<int>(dir)];
  n.queued = true;
  s.waiters.push_back(&n);
  if (w.home == nullptr && core::this_hub() != nullptr) settle(w, *core::this_hub());
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

}  // namespace weft::fd
