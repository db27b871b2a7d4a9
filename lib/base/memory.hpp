// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "base/spinlock.hpp"

namespace weft::base {

/// Zeroed pages straight from the kernel, never from libc's allocator: a fiber may be parked inside malloc with its
/// locks held, so nothing that a hook or a hub reaches may allocate there.
/// @return nullptr when the kernel refuses.
void* map_pages(std::size_t bytes) noexcept;
void unmap_pages(void* pages, std::size_t bytes) noexcept;

/// The allocator that libev is given, with realloc's contract: size 0 frees. Power-of-two classes up to 32 KiB out of
/// mapped chunks, larger blocks straight from the kernel (so that a growing table is moved by mremap, not copied).
void* reallocate(void* block, std::size_t bytes) noexcept;

/// Blocks of one size from mapped chunks. Freed blocks are reused, never unmapped, so a stale pointer to one still
/// points to an object of the same kind. Thread-safe.
class slab {
 public:
  constexpr explicit slab(std::size_t block_size) noexcept : block_size_((block_size + 63) / 64 * 64) {}
  /// @return 64-byte aligned storage (zeroed if never used before), or nullptr when memory is short.
  void* take() noexcept;
  void give(void* block) noexcept;

 private:
  struct free_block {
    free_block* next;
  };
  std::size_t block_size_;
  spinlock lock_;
  free_block* free_ = nullptr;
  char* fresh_ = nullptr;
  char* fresh_end_ = nullptr;
};

}  // namespace weft::base
