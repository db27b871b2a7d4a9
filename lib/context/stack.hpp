// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::context {

/// A stack for a fiber: grows down from `top`; `size` usable bytes end above a guard page.
struct stack {
  std::byte* top = nullptr;
  std::size_t size = 0;
  explicit operator bool() const noexcept { return top != nullptr; }
};

inline constexpr std::size_t default_stack_spacing = 64 * 1024;
inline constexpr std::size_t smallest_stack_spacing = 16 * 1024;
inline constexpr std::size_t largest_stack_spacing = std::size_t{1} << 30;
/// Usable bytes of the largest: a page is the guard.
inline constexpr std::size_t largest_stack = largest_stack_spacing - 4096;

/// The distance between two stacks for one of @p wanted usable bytes, `largest_stack` at most: a power of two that has room for the
/// guard page.
std::size_t stack_spacing(std::size_t wanted) noexcept;

/// The stacks of one hub, by spacing. Taken from slabs of many stacks, so that a stack is no mapping of its own; a
/// stack given back is handed out next, while its pages are warm. Idle ones are returned to the kernel by `trim`, never
/// on the way of a switch. For the hub's OS thread only.
class stack_pool {
 public:
  constexpr stack_pool() noexcept = default;
  stack_pool(const stack_pool&) = delete;
  stack_pool& operator=(const stack_pool&) = delete;

  /// @param spacing  a value of `stack_spacing`.
  /// @return an empty stack when the kernel gives no memory.
  stack take(std::size_t spacing) noexcept;
  void give(stack s) noexcept;

  /// Returns pages of stacks that have lain unused since the last call, some at a time; @return whether more is left.
  bool trim() noexcept;

 private:
  struct slab;
  struct size_class {
    void* warm = nullptr;        // a LIFO through the topmost word of each stack
    std::size_t warm_count = 0;  // its length
    std::size_t low_water = 0;   // its shortest length since the last trim
    slab* slabs = nullptr;       // with cold stacks in them
    slab* full = nullptr;        // with none
  };
  static constexpr int first_class = 14;
  static constexpr int class_count = 17;

  stack take_cold(size_class& c, std::size_t spacing) noexcept;
  static void put_cold(size_class& c, std::byte* top, std::size_t spacing) noexcept;

  size_class classes_[class_count];
};

}  // namespace weft::context
