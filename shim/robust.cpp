// SPDX-License-Identifier: MIT
#include <linux/futex.h>

#include "shim/futex.hpp"
#include "shim/thread.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

// kernel/futex/core.c, handle_futex_death: the word of a mutex whose holder dies.
void mark_owner_died(std::uint32_t* word, const thread& dying, bool pending) noexcept {
  std::uint32_t value;
  if (!weft_user_load32(word, &value)) return;
  // It died between releasing the lock and waking the next: that wake is made up for.
  if (pending && value == 0) {
    futex_wake(word, 1, ~0U, true);
    return;
  }
  while ((value & FUTEX_TID_MASK) == static_cast<std::uint32_t>(dying.tid)) {
    std::uint32_t seen = value;
    if (!weft_user_cas32(word, &seen, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED)) return;
    if (seen == value) {
      if ((value & FUTEX_WAITERS) != 0) futex_wake(word, 1, ~0U, true);
      return;
    }
    value = seen;
  }
}

std::uint32_t* word_of(const robust_list* entry, long offset) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(entry) & ~std::uintptr_t{1};  // bit 0 says: a PI futex
  return reinterpret_cast<std::uint32_t*>(address + static_cast<std::uintptr_t>(offset));
}

robust_list* plain(const robust_list* entry) noexcept {
  return reinterpret_cast<robust_list*>(reinterpret_cast<std::uintptr_t>(entry) & ~std::uintptr_t{1});
}

}  // namespace

void end_robust_list(thread& dying) noexcept {
  ::robust_list_head head;
  ::robust_list_head* const at = dying.robust;
  if (at == nullptr || !copy_in(head, at)) return;
  int limit = ROBUST_LIST_LIMIT;
  for (robust_list* entry = head.list.next; plain(entry) != &at->list && limit-- > 0;) {
    // Read the next one first: once marked, the mutex may be anybody's.
    robust_list next;
    const bool more = copy_in(next, plain(entry));
    if (entry != head.list_op_pending) mark_owner_died(word_of(entry, head.futex_offset), dying, false);
    if (!more) break;
    entry = next.next;
  }
  if (head.list_op_pending != nullptr) {
    mark_owner_died(word_of(head.list_op_pending, head.futex_offset), dying, true);
  }
}

}  // namespace weft::shim
