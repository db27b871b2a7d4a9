// SPDX-License-Identifier: MIT
#include "core/thread_park.hpp"

#include <linux/futex.h>
#include <time.h>

#include <mutex>
#include <new>

#include "base/check.hpp"
#include "base/clock.hpp"
#include "base/memory.hpp"
#include "base/syscall.hpp"
#include "base/thread_key.hpp"
#include "core/clock.hpp"
#include "core/scheduler.hpp"
#include "core/timers.hpp"

namespace weft::core {

namespace {

// The futex is the low half of `remote_wake`: 24 bits of the epoch and the reason. The thread itself makes the epochs, so
// the word cannot come round while it goes to sleep on it.
std::uint32_t* futex_of(fiber& f) noexcept { return reinterpret_cast<std::uint32_t*>(&f.remote_wake); }
static_assert(sizeof(std::atomic<std::uint64_t>) == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

// Whether the thread waits, and how: in the block's `mail`.
enum : std::uint8_t { is_awake, sleeps_in_futex, waits_as_fiber };

// The block of a thread. One that got a hub behind the opening of its wait waits as a fiber, in a wait of that, which the waker, who
// knows the block alone, finds here. A late waker may read both while they become another's: it then ends no wait.
struct thread_wait : fiber {
  std::atomic<fiber*> stand_in{nullptr};
  std::atomic<std::uint64_t> stand_in_epoch{0};
};

constinit base::slab blocks(sizeof(thread_wait));
constinit base::spinlock free_lock;
constinit fiber* free_blocks = nullptr;

__attribute__((tls_model("initial-exec"))) thread_local fiber* block_of_thread = nullptr;

void give_back(void* at) noexcept {
  auto* const f = static_cast<fiber*>(at);
  block_of_thread = nullptr;
  const std::lock_guard guard(free_lock);
  f->next = free_blocks;
  free_blocks = f;
}

fiber* take_block() noexcept {
  {
    const std::lock_guard guard(free_lock);
    if (fiber* const f = free_blocks) {
      free_blocks = f->next;
      return f;
    }
  }
  void* const storage = blocks.take();
  return storage == nullptr ? nullptr : new (storage) thread_wait;
}

}  // namespace

fiber& thread_block() {
  if (__builtin_expect(block_of_thread != nullptr, 1)) return *block_of_thread;
  static const base::thread_key at_thread_end(give_back);
  fiber* const f = take_block();
  if (f == nullptr) throw std::bad_alloc();
  at_thread_end.set(f);
  block_of_thread = f;
  return *f;
}

namespace {

// Light fibers have their thread's variables; what the thread itself opened is none of their business.
bool is_threads_own() noexcept {
  const hub* const h = weft_this_hub;
  return h == nullptr || !h->current->light || h->current == h->first_fiber;
}

int park_as_fiber(thread_wait& block, waker w, std::int64_t due_ns, const void* object, bool cancellable) noexcept {
  const waker own = core::prepare_park();
  block.stand_in.store(own.target, std::memory_order_relaxed);
  block.stand_in_epoch.store(own.epoch, std::memory_order_relaxed);
  block.mail.store(waits_as_fiber, std::memory_order_seq_cst);  // a waker that stores its word behind this ends `own`
  const std::uint64_t seen = block.remote_wake.load(std::memory_order_seq_cst);
  int reason = static_cast<int>(seen & 0xff);
  if (seen >> 8 != w.epoch) {
    reason = cancellable ? park_cancellable(own, due_ns, wait_kind::object, object)
                         : park(own, due_ns, wait_kind::object, object);
  }
  block.mail.store(is_awake, std::memory_order_relaxed);
  return reason;
}

}  // namespace

int park_thread(waker w, std::int64_t due_ns, const void* object, bool cancellable) noexcept {
  fiber& f = *w.target;
  WEFT_EXPECT(&f == block_of_thread && f.epoch == w.epoch && is_threads_own(), "a park with somebody else's waker");
  if (weft_this_hub != nullptr) return park_as_fiber(static_cast<thread_wait&>(f), w, due_ns, object, cancellable);
  if (time_is_of_a_test() && due_ns != timers::never) due_ns += base::monotonic_ns() - now_ns();
  const timespec until{due_ns / 1'000'000'000, due_ns % 1'000'000'000};
  for (;;) {
    const std::uint64_t seen = f.remote_wake.load(std::memory_order_seq_cst);
    if (seen >> 8 == w.epoch) return static_cast<int>(seen & 0xff);
    if (due_ns != timers::never && base::monotonic_ns() >= due_ns) return timed_out;
    f.mail.store(sleeps_in_futex,
                 std::memory_order_seq_cst);  // a waker that stores its word behind this sees that we sleep
    if (f.remote_wake.load(std::memory_order_seq_cst) == seen) {
      base::raw_syscall(SYS_futex, futex_of(f), FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG,
                        static_cast<std::uint32_t>(seen), due_ns == timers::never ? nullptr : &until, nullptr,
                        FUTEX_BITSET_MATCH_ANY);
    }
    f.mail.store(is_awake, std::memory_order_relaxed);
  }
}

void unpark_thread(waker w, int reason) noexcept {
  fiber& f = *w.target;
  const std::uint64_t word = w.epoch << 8 | static_cast<unsigned>(reason);
  std::uint64_t seen = f.remote_wake.load(std::memory_order_relaxed);
  do {
    if (w.epoch <= seen >> 8) return;  // the first wake counts
  } while (!f.remote_wake.compare_exchange_weak(seen, word, std::memory_order_seq_cst));
  const std::uint8_t how = f.mail.load(std::memory_order_seq_cst);
  if (how == sleeps_in_futex) base::raw_syscall(SYS_futex, futex_of(f), FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
  if (how == waits_as_fiber) {
    auto& block = static_cast<thread_wait&>(f);
    unpark({block.stand_in.load(std::memory_order_relaxed), block.stand_in_epoch.load(std::memory_order_relaxed)},
           reason);
  }
}

}  // namespace weft::core
