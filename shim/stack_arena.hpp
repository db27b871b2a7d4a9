// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

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

  /// A slot of @p size bytes that reads as zero; an empty one if the size does not suit or there is no room.
  slot take(std::size_t size) noexcept;
  /// Back to the arena; the pages must read as zero and be accessible again, but for the guard.
  void give(const slot& s) noexcept;
  /// The slot that @p address lies in.
  slot find(std::uint64_t address) const noexcept;

  /// The size of the guard that stands at the slot's bottom.
  std::size_t guard(const slot& s) const noexcept;
  void set_guard(const slot& s, std::size_t bytes) noexcept;
};

extern stack_arena thread_stacks;

}  // namespace weft::shim
