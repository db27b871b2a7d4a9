// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "context/guard.hpp"

namespace weft::shim {

/// Address space for thread stacks: one reservation, cut into gigabytes, each cut into slots of one size that lie side
/// by side (so that a stack's top and its neighbour's guard share a page-table page).
class stack_arena {
 public:
  struct slot {
    std::uint64_t bottom = 0;
    std::uint64_t size = 0;
    std::uint32_t number = 0;  // in its block
    std::uint32_t block = 0;
    explicit operator bool() const noexcept { return bottom != 0; }
  };

  /// A slot of @p size bytes that reads as zero but for a guard of an earlier owner's; an empty one if the size does not suit or there is no room.
  slot take(std::size_t size) noexcept;
  /// Back to the arena; the pages must read as zero and be accessible again, but for the guard.
  void give(const slot& s) noexcept;
  /// The slot that @p address lies in.
  slot find(std::uint64_t address) const noexcept;

  /// What the slot's pages are, other than plain memory. Only for who has the slot.
  struct protection {
    std::size_t guard = 0;  ///< bytes at the bottom
    context::guard_kind kind = context::guard_kind::none;
    bool used = false;     ///< its first protection since it was taken is done
    bool altered = false;  ///< some pages were protected in another way since
  };
  protection protected_as(const slot& s) const noexcept;
  void note(const slot& s, const protection& now) noexcept;
};

extern stack_arena thread_stacks;

}  // namespace weft::shim
