// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace weft::core {
class hub;
struct fiber;
}  // namespace weft::core

/// The hub of the calling thread, null if it has none; kept by lib/core.
extern "C" __attribute__((visibility("default"), tls_model("initial-exec"))) __thread weft::core::hub* weft_this_hub;

namespace weft::detail {

/// Who holds a lock, in one word: the address of the running fiber's control block, or, on an OS thread without a hub, the
/// thread pointer with `thread_tag`. Bit 0 is free for the lock's own use. Never 0.
using owner_id = std::uintptr_t;

inline constexpr owner_id thread_tag = 2;

inline owner_id this_owner() noexcept {
  // A hub begins with the pointer to the fiber that it runs: lib/sync/owner.cpp holds it to that.
  if (const core::hub* const h = weft_this_hub) {
    return reinterpret_cast<owner_id>(*reinterpret_cast<core::fiber* const*>(h));
  }
  return reinterpret_cast<owner_id>(__builtin_thread_pointer()) | thread_tag;
}

/// Whether @p id, which is not what `this_owner` says now, names the caller all the same: a thread that locked before it
/// had a hub is known by another word afterwards.
bool was_this_owner(owner_id id) noexcept;

}  // namespace weft::detail
