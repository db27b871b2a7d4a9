// SPDX-License-Identifier: MIT
#include <cstring>
#include <new>
#include <utility>

#include "base/memory.hpp"
#include "core/local_hub.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "weft/fiber.hpp"

namespace weft::core {

namespace {

// A light fiber's block: small closures live in it, so that a spawn allocates once.
struct light_fiber : fiber {
  void (*call)(void*) noexcept = nullptr;
  void* closure = nullptr;
  std::size_t heap_align = 0;  // != 0: the closure is a heap block
  alignas(16) std::byte inplace[64];
};

base::slab blocks(sizeof(light_fiber));

void wake_joiners(fiber& f) noexcept;

void run_closure(fiber& f) noexcept {
  auto& l = static_cast<light_fiber&>(f);
  l.call(l.closure);
  if (l.heap_align != 0) ::operator delete(l.closure, std::align_val_t(l.heap_align));
  // Here, not in `end`: the switch away can then go straight to who waited.
  wake_joiners(f);
}

void keep_for_reuse(fiber& f, hub& h) noexcept {
  f.next = h.unused;
  h.unused = &f;
}

void drop(fiber& f) noexcept {
  // The last one has nobody to race with.
  if (f.references.load(std::memory_order_acquire) != 1 && f.references.fetch_sub(1, std::memory_order_acq_rel) != 1) {
    return;
  }
  hub& h = *f.home;
  if (&h == weft_this_hub) {
    keep_for_reuse(f, h);
    return;
  }
  f.drop_message.run = [](message& m, hub& home) noexcept {
    keep_for_reuse(*static_cast<fiber_message&>(m).owner, home);
  };
  h.post(f.drop_message);
}

}  // namespace

// Who waits for a fiber's end, on the waiter's stack. The list is touched on the fiber's hub only; a waiter of another
// hub asks for that by message.
struct join_waiter : message {
  join_waiter* following = nullptr;
  fiber* target = nullptr;
  waker who{};
};

namespace {

void wake_joiners(fiber& f) noexcept {
  f.ended.store(true, std::memory_order_release);
  for (join_waiter* w = std::exchange(f.joiners, nullptr); w != nullptr;) {
    join_waiter* next = w->following;
    unpark(w->who);
    w = next;
  }
}

void end_light(fiber& f, hub& h) noexcept {
  if (f.heap_slot != 0) h.deadlines.drop(f);
  if (f.stack) h.stacks.give(f.stack);
  f.stack = {};
  f.sanitizer.destroy();
  f.unlink();
  --h.live;
  h.add_load(-1);
  drop(f);
}

void add_joiner(fiber& target, join_waiter& w) noexcept {
  w.following = target.joiners;
  target.joiners = &w;
}

void remove_joiner(fiber& target, join_waiter& w) noexcept {
  for (join_waiter** at = &target.joiners; *at != nullptr; at = &(*at)->following) {
    if (*at == &w) {
      *at = w.following;
      return;
    }
  }
}

bool join_here(fiber& target, std::int64_t due) {
  join_waiter w;
  w.who = prepare_park();
  add_joiner(target, w);
  const int ended = park_cancellable(w.who, due, wait_kind::object, &target);
  if (ended == woken) return true;
  remove_joiner(target, w);
  if (ended == cancelled_wait) throw_cancelled();
  return false;
}

struct withdrawal : message {
  join_waiter* what = nullptr;
  waker who{};  // of its own: the end may be reading the other one
};

bool join_from_afar(fiber& target, std::int64_t due) {
  join_waiter w;
  w.target = &target;
  w.who = prepare_park();
  w.run = [](message& m, hub&) noexcept {
    auto& j = static_cast<join_waiter&>(m);
    if (j.target->ended.load(std::memory_order_relaxed)) {
      unpark(j.who);
    } else {
      add_joiner(*j.target, j);
    }
  };
  target.home->post(w);
  const int ended = park_cancellable(w.who, due, wait_kind::object, &target);
  if (ended == woken) return true;
  // The node may stand in the list, the end be under way, or even the message above: the fiber's hub takes the node out,
  // behind all that, and confirms.
  withdrawal back;
  back.what = &w;
  back.who = prepare_park();
  back.run = [](message& m, hub&) noexcept {
    auto& b = static_cast<withdrawal&>(m);
    remove_joiner(*b.what->target, *b.what);
    unpark(b.who);
  };
  target.home->post(back);
  park(back.who, timers::never, wait_kind::object, &target);
  if (target.ended.load(std::memory_order_acquire)) return true;
  if (ended == cancelled_wait) throw_cancelled();
  return false;
}

}  // namespace
}  // namespace weft::core

namespace weft::detail {

using core::hub;
using core::light_fiber;

core::fiber* allocate_fiber(std::size_t size, std::size_t align, void** closure, void (*run)(void*) noexcept) {
  hub& h = core::local_hub();
  auto* f = static_cast<light_fiber*>(h.unused);
  if (f != nullptr) {
    h.unused = f->next;
    f->renew();
    f->heap_align = 0;
  } else {
    void* storage = core::blocks.take();
    if (storage == nullptr) throw std::bad_alloc();
    f = new (storage) light_fiber;
    f->home = &h;
    f->run = core::run_closure;
    f->end = core::end_light;
  }
  if (size <= sizeof f->inplace && align <= 16) {
    f->closure = f->inplace;
  } else {
    f->heap_align = align < __STDCPP_DEFAULT_NEW_ALIGNMENT__ ? __STDCPP_DEFAULT_NEW_ALIGNMENT__ : align;
    f->closure = ::operator new(size, std::align_val_t(f->heap_align), std::nothrow);
    if (f->closure == nullptr) {
      core::keep_for_reuse(*f, h);
      throw std::bad_alloc();
    }
  }
  f->call = run;
  f->tp = h.loop_fiber.tp;
  f->id = h.next_id();
  *closure = f->closure;
  return f;
}

void discard_fiber(core::fiber* f) noexcept {
  auto* l = static_cast<light_fiber*>(f);
  if (l->heap_align != 0) ::operator delete(l->closure, std::align_val_t(l->heap_align));
  core::keep_for_reuse(*f, *f->home);
}

void launch_fiber(core::fiber* f, const char* name, std::size_t stack_size) noexcept {
  if (name != nullptr) std::strncpy(f->name, name, sizeof f->name - 1);
  if (stack_size != 0) f->spacing = context::stack_spacing(stack_size);
  f->references.store(2, std::memory_order_relaxed);  // the scheduler's and the first handle's
  core::launch(*f);
}

void retain_fiber(core::fiber* f) noexcept { f->references.fetch_add(1, std::memory_order_relaxed); }
void release_fiber(core::fiber* f) noexcept { core::drop(*f); }
std::uint64_t fiber_id(const core::fiber* f) noexcept { return f->id; }
bool fiber_done(const core::fiber* f) noexcept { return f->ended.load(std::memory_order_acquire); }

bool join_fiber(core::fiber* f, deadline by) {
  if (fiber_done(f)) return true;
  core::local_hub();
  if (f == &core::self() || core::hubs[f->home->index] != f->home) return false;  // the latter is a fork's parent's
  return f->home == weft_this_hub ? core::join_here(*f, by.ns()) : core::join_from_afar(*f, by.ns());
}

}  // namespace weft::detail

namespace weft::this_fiber {

void sleep_until(deadline by) {
  core::local_hub();
  const int ended = core::park_cancellable(core::prepare_park(), by.ns(), core::wait_kind::sleep, nullptr);
  if (ended == core::cancelled_wait) throw_cancelled();
}

std::uint64_t get_id() noexcept { return weft_this_hub == nullptr ? 0 : core::self().id; }

}  // namespace weft::this_fiber
