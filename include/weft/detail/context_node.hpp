// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace weft::detail {

/// One value that was set, and those set before it. Shared by all contexts that stand on it.
struct context_node {
  std::atomic<std::uint64_t> shares{1};
  context_node* outer = nullptr;
  std::uint64_t key = 0;
  void (*destroy)(context_node*) noexcept = nullptr;
};

/// The newest node of the running fiber, or of the thread; null if nothing is set.
context_node* current_context() noexcept;
/// Makes @p to the newest, whose reference passes to the fiber; @return the one before, whose reference passes to the caller.
context_node* exchange_context(context_node* to) noexcept;
const context_node* find_context(std::uint64_t key) noexcept;
inline context_node* share_context(context_node* n) noexcept {
  if (n != nullptr) n->shares.fetch_add(1, std::memory_order_relaxed);
  return n;
}
void release_context(context_node* n) noexcept;
/// Takes @p set, which is to be the newest, off again; another one is: aborts.
void leave_context(const context_node* set) noexcept;

}  // namespace weft::detail
