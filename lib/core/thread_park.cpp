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
#include "core/timers.hpp"

namespace weft::core {

namespace {

// The futex is the low half of `remote_wake`: 24 bits of the epoch and the reason. The thread itself makes the epochs, so
// the word cannot come round while it goes to sleep on it.
std::uint32_t* futex_of(fiber& f) noexcept { return reinterpret_cast<std::uint32_t*>(&f.remote_wake); }
static_assert(sizeof(std::atomic<std::uint64_t>) == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

constinit base::slab blocks(sizeof(fiber));
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
  return storage == nullptr ? nullptr : new (storage) fiber;
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

int park_thread(fiber& f, waker w, std::int64_t due_ns) noexcept {
  WEFT_REQUIRE(&f == block_of_thread && f.epoch == w.epoch);
  if (time_is_of_a_test() && due_ns != timers::never) due_ns += base::monotonic_ns() - now_ns();
  const timespec until{due_ns / 1'000'000'000, due_ns % 1'000'000'000};
  for (;;) {
    const std::uint64_t seen = f.remote_wake.load(std::memory_order_seq_cst);
    if (seen >> 8 == w.epoch) return static_cast<int>(seen & 0xff);
    if (due_ns != timers::never && base::monotonic_ns() >= due_ns) return timed_out;
    f.mail.store(mail_wake, std::memory_order_seq_cst);  // a waker that stores its word behind this sees that we sleep
    if (f.remote_wake.load(std::memory_order_seq_cst) == seen) {
      base::raw_syscall(SYS_futex, futex_of(f), FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG,
                        static_cast<std::uint32_t>(seen), due_ns == timers::never ? nullptr : &until, nullptr,
                        FUTEX_BITSET_MATCH_ANY);
    }
    f.mail.store(0, std::memory_order_relaxed);
  }
}

void unpark_thread(waker w, int reason) noexcept {
  fiber& f = *w.target;
  const std::uint64_t word = w.epoch << 8 | static_cast<unsigned>(reason);
  std::uint64_t seen = f.remote_wake.load(std::memory_order_relaxed);
  do {
    if (w.epoch <= seen >> 8) return;  // the first wake counts
  } while (!f.remote_wake.compare_exchange_weak(seen, word, std::memory_order_seq_cst));
  if (f.mail.load(std::memory_order_seq_cst) != 0) {
    base::raw_syscall(SYS_futex, futex_of(f), FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
  }
}

}  // namespace weft::core
