// SPDX-License-Identifier: MIT
#include "context/stack.hpp"

#include <sys/mman.h>

#include <bit>

#include "base/memory.hpp"
#include "base/syscall.hpp"
#include "context/guard.hpp"

namespace weft::context {

namespace {

constexpr std::size_t page = 4096;
constexpr unsigned stacks_per_slab = 128;
constexpr std::size_t largest_slab = std::size_t{64} << 20;
// Warm stacks that are always kept: enough for bursts of short fibers.
constexpr std::size_t kept_warm = 256;
constexpr std::size_t trimmed_at_once = 64;

unsigned slots_for(std::size_t spacing) noexcept {
  const std::size_t fit = largest_slab / spacing;
  return fit == 0 ? 1 : fit > stacks_per_slab ? stacks_per_slab : static_cast<unsigned>(fit);
}

void*& link_of(std::byte* top) noexcept { return reinterpret_cast<void**>(top)[-1]; }

}  // namespace

struct stack_pool::slab {
  slab* next;
  std::byte* base;
  unsigned slots;
  std::uint64_t cold[stacks_per_slab / 64];     // stacks whose pages the kernel has
  std::uint64_t guarded[stacks_per_slab / 64];  // a guard stays until the slab goes
};

std::size_t stack_spacing(std::size_t wanted) noexcept {
  const std::size_t spacing = std::bit_ceil(wanted + page);
  return spacing < smallest_stack_spacing ? smallest_stack_spacing : spacing;
}

stack stack_pool::take(std::size_t spacing) noexcept {
  size_class& c = classes_[std::bit_width(spacing) - 1 - first_class];
  if (c.warm == nullptr) return take_cold(c, spacing);
  auto* top = static_cast<std::byte*>(c.warm);
  c.warm = link_of(top);
  if (--c.warm_count < c.low_water) c.low_water = c.warm_count;
  return {top, spacing - page};
}

void stack_pool::give(stack s) noexcept {
  size_class& c = classes_[std::bit_width(s.size + page) - 1 - first_class];
  link_of(s.top) = c.warm;
  c.warm = s.top;
  ++c.warm_count;
}

stack stack_pool::take_cold(size_class& c, std::size_t spacing) noexcept {
  static base::slab slab_blocks(sizeof(slab));
  // A slab that has run full moves to the other list, so that this is a look at the first one.
  while (slab* s = c.slabs) {
    for (unsigned word = 0; word < stacks_per_slab / 64; ++word) {
      if (s->cold[word] == 0) continue;
      const auto bit = static_cast<unsigned>(std::countr_zero(s->cold[word]));
      const std::uint64_t mask = std::uint64_t{1} << bit;
      std::byte* bottom = s->base + (word * 64 + bit) * spacing;
      if ((s->guarded[word] & mask) == 0) {
        install_guard(bottom, page);
        s->guarded[word] |= mask;
      }
      s->cold[word] &= ~mask;
      return {bottom + spacing, spacing - page};
    }
    c.slabs = s->next;
    s->next = c.full;
    c.full = s;
  }
  const unsigned slots = slots_for(spacing);
  auto* fresh = static_cast<slab*>(slab_blocks.take());
  if (fresh == nullptr) return {};
  const long base = base::raw_syscall(SYS_mmap, nullptr, slots * spacing, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (base::is_error(base)) {
    slab_blocks.give(fresh);
    return {};
  }
  // A huge page under a stack would make one touched byte cost 2 MiB.
  base::raw_syscall(SYS_madvise, base, slots * spacing, MADV_NOHUGEPAGE);
  *fresh = {c.slabs, reinterpret_cast<std::byte*>(base), slots, {}, {}};
  for (unsigned i = 0; i < slots; ++i) fresh->cold[i / 64] |= std::uint64_t{1} << (i % 64);
  c.slabs = fresh;
  return take_cold(c, spacing);
}

void stack_pool::put_cold(size_class& c, std::byte* top, std::size_t spacing) noexcept {
  base::raw_syscall(SYS_madvise, top - spacing + page, spacing - page, MADV_DONTNEED);
  const auto holds = [&](const slab* s) { return top > s->base && top <= s->base + s->slots * spacing; };
  slab* s = c.slabs;
  while (s != nullptr && !holds(s)) s = s->next;
  if (s == nullptr) {
    slab** link = &c.full;
    while (!holds(*link)) link = &(*link)->next;
    s = *link;
    *link = s->next;
    s->next = c.slabs;
    c.slabs = s;
  }
  const std::size_t slot = static_cast<std::size_t>(top - s->base) / spacing - 1;
  s->cold[slot / 64] |= std::uint64_t{1} << (slot % 64);
}

bool stack_pool::trim() noexcept {
  bool more = false;
  for (int i = 0; i < class_count; ++i) {
    size_class& c = classes_[i];
    // What was never needed since the last call is idle; the most recently used ones stay.
    std::size_t idle = c.low_water > kept_warm ? c.low_water - kept_warm : 0;
    if (idle > trimmed_at_once) {
      idle = trimmed_at_once;
      more = true;
    }
    for (std::size_t n = 0; n < idle; ++n) {
      auto* top = static_cast<std::byte*>(c.warm);
      c.warm = link_of(top);
      --c.warm_count;
      put_cold(c, top, std::size_t{1} << (first_class + i));
    }
    c.low_water = c.warm_count;
  }
  return more;
}

}  // namespace weft::context
