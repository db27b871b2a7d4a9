// SPDX-License-Identifier: MIT
#include "shim/futex_table.hpp"

#include <mutex>

#include "shim/futex.hpp"

namespace weft::shim {

namespace {
constexpr unsigned bucket_bits = 12;
constinit futex_bucket buckets[1U << bucket_bits];
}  // namespace

futex_bucket& futex_bucket_of(const std::uint32_t* at) noexcept {
  // Fibonacci hashing: words of neighbouring objects spread over the table.
  const std::uint64_t mixed = (reinterpret_cast<std::uintptr_t>(at) >> 2) * 0x9e37'79b9'7f4a'7c15ULL;
  return buckets[mixed >> (64 - bucket_bits)];
}

bool futex_withdraw(futex_waiter& w) noexcept {
  for (;;) {
    std::uint32_t* const at = __atomic_load_n(&w.at, __ATOMIC_ACQUIRE);
    const std::lock_guard guard(futex_bucket_of(at).lock);
    if (__atomic_load_n(&w.at, __ATOMIC_RELAXED) != at) continue;  // requeued meanwhile
    if (!w.queued) return false;
    w.queued = false;
    w.unlink();
    return true;
  }
}

futex_pair_lock::futex_pair_lock(futex_bucket& a, futex_bucket& b) noexcept
    : first_(&a < &b ? &a : &b), second_(&a == &b ? nullptr : (&a < &b ? &b : &a)) {
  first_->lock.lock();
  if (second_ != nullptr) second_->lock.lock();
}

futex_pair_lock::~futex_pair_lock() {
  if (second_ != nullptr) second_->lock.unlock();
  first_->lock.unlock();
}

void forget_futexes() noexcept {
  for (futex_bucket& b : buckets) b.waiters.forget();
}

}  // namespace weft::shim
