// SPDX-License-Identifier: MIT
#include "weft/detail/owner.hpp"

#include <cstddef>

#include "core/hub.hpp"

namespace weft::detail {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"  // a hub is no standard-layout class, and both compilers answer
static_assert(offsetof(core::hub, current) == 0, "this_owner() in weft/detail/owner.hpp reads it there");
#pragma GCC diagnostic pop
static_assert(alignof(core::fiber) > thread_tag + 1, "the low bits of an owner_id are used");

bool was_this_owner(owner_id id) noexcept {
  const core::hub* const h = weft_this_hub;
  if (h == nullptr || id != (reinterpret_cast<owner_id>(__builtin_thread_pointer()) | thread_tag)) return false;
  // The thread pointer of a hub's thread is shared by its light fibers; what it locked is the first one's, which the hub
  // found when it was made for the thread and did not start.
  const core::fiber& f = *h->current;
  return !f.light || f.run == nullptr;
}

}  // namespace weft::detail
