// SPDX-License-Identifier: MIT
#include "weft/park.hpp"

#include "base/check.hpp"
#include "base/syscall.hpp"
#include "core/scheduler.hpp"
#include "core/thread_park.hpp"
#include "weft/detail/spin.hpp"

__attribute__((tls_model("initial-exec"))) __thread unsigned weft_locks_held = 0;

namespace weft {

namespace {

// Whether @p w was opened by a thread without a hub, though it may have got one since.
bool without_hub(waker w) noexcept { return w.target->home == nullptr || weft_this_hub == nullptr; }

}  // namespace

waker prepare_park() {
  core::hub* const h = weft_this_hub;
  if (__builtin_expect(h == nullptr, 0)) {
    core::fiber& f = core::thread_block();
    return {&f, ++f.epoch};
  }
  WEFT_EXPECT(h->current != &h->loop_fiber, "a callback of the hub waits");
  return core::prepare_park();
}

int park(waker w, deadline by, const void* object) noexcept {
  WEFT_ASSERT(weft_locks_held == 0);
  if (__builtin_expect(without_hub(w), 0)) return core::park_thread(w, by.ns(), object, true);
  return core::park_cancellable(w, by.ns(), core::wait_kind::object, object);
}

int park_shielded(waker w, deadline by, const void* object) noexcept {
  WEFT_ASSERT(weft_locks_held == 0);
  if (__builtin_expect(without_hub(w), 0)) return core::park_thread(w, by.ns(), object, false);
  return core::park(w, by.ns(), core::wait_kind::object, object);
}

namespace detail {

void spin_until_free(const std::atomic<std::uint32_t>& word) noexcept {
  for (int i = 0; word.load(std::memory_order_relaxed) != 0; ++i) {
    if (i < 100) {
      __builtin_ia32_pause();
    } else {
      // The holder's OS thread may have been descheduled.
      base::raw_syscall(SYS_sched_yield);
    }
  }
}

}  // namespace detail
}  // namespace weft
