// SPDX-License-Identifier: MIT
#include "core/local_hub.hpp"

#include <cerrno>
#include <new>
#include <system_error>

#include "base/memory.hpp"
#include "base/thread_key.hpp"
#include "core/fork.hpp"
#include "core/overflow.hpp"
#include "core/patching.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "weft/hub.hpp"

namespace weft::core {

constinit std::atomic<void (*)(hub& h) noexcept> before_hub_is_left{nullptr};

namespace {

base::slab thread_blocks(sizeof(fiber));

// The thread of @p h ends, and fibers of it have not: no other thread can go on with them, since what has begun may hold addresses of this
// one's storage. Their stacks stay: others may have them in their queues.
void lose_fibers(hub& h) noexcept {
  fiber* next = nullptr;
  for (fiber* f = h.all.front(); f != nullptr; f = next) {
    next = h.all.after(f);
    if (f->serves_hub) continue;
    if (f->wait != wait_kind::none && f->wait != wait_kind::object) h.await(f->wait, -1);
    f->state = fiber_state::lost;
    f->end(*f, h);
  }
  // Nobody else waits for these.
  h.idlers = nullptr;
  h.newcomers = {};
}

// Takes those that were lost out of the run queue. @return whether it is empty then
bool empty_run_queue(hub& h) noexcept {
  fiber* f = h.ready_head;
  h.ready_head = h.ready_tail = nullptr;
  h.unbegun = 0;
  while (f != nullptr) {
    fiber* const next = f->next;
    if (f->state != fiber_state::lost) h.push_ready(*f);
    f = next;
  }
  return h.ready_head == nullptr;
}

// Whether another thread may go on with @p h: fibers that only serve it do nothing now, and nothing of the ended thread's goes on here.
bool is_vacant(hub& h) noexcept {
  for (fiber* f = h.all.front(); f != nullptr; f = h.all.after(f)) {
    if (f->wait != wait_kind::object) return false;
  }
  return h.deadlines.count() == 0 && h.placement.load(std::memory_order_relaxed) == nullptr &&
         (h.watch == nullptr || !h.watch->in_use(h));
}

// The calling thread, whose hub @p at is, ends; its thread_local variables are gone already.
void leave_hub(void* at) noexcept {
  hub& h = *static_cast<hub*>(at);
  // Not what survived a fork on a hub of its own, nor a fiber that ends its thread.
  if (weft_this_hub != &h || h.current != h.first_fiber) return;
  fiber& self = *h.first_fiber;
  h.drain_inbox();
  if (const auto told = before_hub_is_left.load(std::memory_order_acquire)) told(h);
  if (self.heap_slot != 0) h.deadlines.drop(self);
  self.unlink();
  self.retire();
  --h.live;
  h.add_load(-1);
  lose_fibers(h);
  expect_no_overflows(h);
  h.kernel_tid.store(0, std::memory_order_relaxed);
  weft_this_hub = nullptr;
  if (empty_run_queue(h) && is_vacant(h)) give_vacant_hub(h);
}

hub* try_to_make() noexcept {
  static const base::thread_key at_thread_end(leave_hub);
  hub* h = take_vacant_hub();
  if (h != nullptr) {
    h->first_fiber->renew();
  } else {
    h = make_hub();
    if (h == nullptr) return nullptr;
    void* storage = thread_blocks.take();
    if (storage == nullptr || !give_loop_context(*h)) return nullptr;
    h->first_fiber = new (storage) fiber;
  }
  h->first_fiber->id = next_fiber_id();
  adopt_thread(*h, *h->first_fiber);
  at_thread_end.set(h);
  expect_overflows(*h);
  return h;
}

}  // namespace

bool give_loop_context(hub& h) noexcept {
  fiber& f = h.loop_fiber;
  f.stack = h.stacks.take(context::default_stack_spacing);
  if (!f.stack) return false;
  f.sanitizer.create(f.stack.top - f.stack.size, f.stack.size);
  make_context(f, f.stack.top);
  return true;
}

hub& make_local_hub() {
  expect_forks();
  if (the_patcher != nullptr && the_patcher->take_over()) return *weft_this_hub;
  if (try_to_make() == nullptr) {
    if (hub_count.load(std::memory_order_relaxed) == max_hubs) {
      throw std::system_error(EAGAIN, std::generic_category(),
                              "weft: 64 threads have a hub (one that ended and left a watcher started, or is named by "
                              "a `run`, keeps it)");
    }
    throw std::system_error(errno != 0 ? errno : ENOMEM, std::generic_category(),
                            "weft: no hub for this thread (raise RLIMIT_NOFILE or free descriptors)");
  }
  return *weft_this_hub;
}

}  // namespace weft::core

namespace weft {

hub hub::current() { return hub(&core::local_hub()); }

}  // namespace weft
