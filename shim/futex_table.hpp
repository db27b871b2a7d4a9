// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "base/list.hpp"
#include "base/spinlock.hpp"
#include "core/fiber.hpp"

namespace weft::shim {

/// A fiber that waits on a futex word; lies on its stack.
struct futex_waiter : base::list_link {
  std::uint32_t* at = nullptr;
  std::uint32_t bits = 0;
  core::waker who{};
  bool queued = false;  // false once a waker has claimed it; under its bucket's lock
};

/// Waiters whose words' addresses fall together.
struct futex_bucket {
  base::spinlock lock;
  base::list<futex_waiter> waiters;
};

futex_bucket& futex_bucket_of(const std::uint32_t* at) noexcept;

/// Takes a waiter out of wherever it is queued, requeued ones too.
/// @return false if a waker was first: the wait then counts as woken.
bool futex_withdraw(futex_waiter& w) noexcept;

/// With both locks held in a fixed order.
class futex_pair_lock {
 public:
  futex_pair_lock(futex_bucket& a, futex_bucket& b) noexcept;
  ~futex_pair_lock();
  futex_pair_lock(const futex_pair_lock&) = delete;
  futex_pair_lock& operator=(const futex_pair_lock&) = delete;

 private:
  futex_bucket* first_;
  futex_bucket* second_;
};

}  // namespace weft::shim
