// SPDX-License-Identifier: MIT
// The rule of fork(2) for fibers: in the child the one that called it lives on, and nobody else, as with threads.
#include "core/fork.hpp"

#include <pthread.h>
#include <stdlib.h>

#include <mutex>

#include "base/check.hpp"
#include "base/spinlock.hpp"
#include "core/cancel.hpp"
#include "core/clock.hpp"
#include "core/local_hub.hpp"
#include "core/patching.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "weft/detail/forks.hpp"

std::uint32_t weft_forks = 0;

namespace weft::core {

namespace {

constinit base::spinlock lock;
constinit fork_hook* first = nullptr;
constinit fork_hook** last = &first;
constinit bool expected = false;

// The calling fiber, on a hub that has nothing of the parent's. The parent's hubs stay in memory, untouched by anybody:
// what still names their fibers (a joiner) wakes nobody.
void move_to_fresh_hub(fiber& survivor) noexcept {
  forget_after_fork();
  hub* const h = make_hub();
  WEFT_REQUIRE(h != nullptr && give_loop_context(*h));  // the three descriptors that it needs were closed just now
  h->loop_fiber.tp = survivor.tp;  // a light fiber's of a patched process is that of its hub's loop
  adopt_survivor(*h, survivor);
}

void in_child() {
  ++weft_forks;
  // Descriptors that are given back here must not be the new hub's: so first.
  for (fork_hook* h = first; h != nullptr; h = h->next) h->child();
  if (weft_this_hub != nullptr) {
    move_to_fresh_hub(self());
  } else if (the_patcher != nullptr && the_patcher->survive()) {
    return;  // under the patch the system call itself has seen to the hubs of the parent
  } else if (hub_count.load(std::memory_order_relaxed) != 0) {
    forget_after_fork();
  }
}

}  // namespace

void adopt_survivor(hub& h, fiber& survivor) noexcept {
  survivor.prev = survivor.list_link::next = nullptr;
  survivor.heap_slot = 0;
  survivor.mail.store(0, std::memory_order_relaxed);
  adopt_thread(h, survivor);
  if (survivor.records != nullptr) fire_records(survivor, now_ns());  // its timeouts hold on
}

void expect_forks() noexcept {
  {
    const std::lock_guard guard(lock);
    if (expected) return;
    expected = true;
  }
  // Fails for want of memory alone; then a fork's child has to exec at once, as one that knows nothing of us.
  pthread_atfork(nullptr, nullptr, in_child);
}

void on_fork(fork_hook& hook) noexcept {
  expect_forks();
  const std::lock_guard guard(lock);
  if (hook.added) return;
  hook.added = true;
  *last = &hook;
  last = &hook.next;
}

void end_of_survivor() noexcept { exit(0); }

}  // namespace weft::core
