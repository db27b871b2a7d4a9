// SPDX-License-Identifier: MIT
#include "shim/stack_arena.hpp"

#include <sys/mman.h>

#include <mutex>

#include "base/memory.hpp"
#include "base/spinlock.hpp"
#include "base/syscall.hpp"

namespace weft::shim {

constinit stack_arena thread_stacks;

namespace {

constexpr std::uint64_t block_size = std::uint64_t{1} << 30;
constexpr std::uint32_t most_blocks = 2048;
constexpr std::uint32_t none = ~0U;
// Cores hold what was used of the arena, in steps of this: gdb's gcore would write terabytes of it, and read guards.
constexpr std::uint64_t dump_step = std::uint64_t{64} << 20;

// What is known of a slot outside its pages: they stay untouched while it is free.
struct slot_state {
  std::uint32_t next_free;
  std::uint32_t guard_pages : 24;  // of at most a quarter of a block
  std::uint32_t kind : 2;
  std::uint32_t used : 1;
  std::uint32_t altered : 1;
};

struct block {
  std::uint64_t slot_size;
  std::uint32_t slots;
  std::uint32_t fresh;  // slots from here on were never taken
  std::uint32_t first_free;
  std::uint64_t dumped;  // bytes from the start that cores hold
  slot_state* states;
};

base::spinlock lock;
std::uint64_t arena;  // 0: not reserved yet; 1: refused
block blocks[most_blocks];
std::uint32_t blocks_used;

bool reserve() noexcept {
  if (arena == 0) {
    const long result = base::raw_syscall(SYS_mmap, nullptr, block_size * most_blocks, PROT_NONE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    arena = base::is_error(result) ? 1 : static_cast<std::uint64_t>(result);
    // Huge pages under stacks would make one touched byte cost 2 MiB.
    if (arena != 1) {
      base::raw_syscall(SYS_madvise, arena, block_size * most_blocks, MADV_NOHUGEPAGE);
      base::raw_syscall(SYS_madvise, arena, block_size * most_blocks, MADV_DONTDUMP);
    }
  }
  return arena != 1;
}

std::uint64_t start_of(std::uint32_t number) noexcept { return arena + number * block_size; }

// A block with a free slot of the size, a new one if need be.
std::uint32_t block_for(std::uint64_t size) noexcept {
  for (std::uint32_t i = blocks_used; i-- > 0;) {
    const block& b = blocks[i];
    if (b.slot_size == size && (b.first_free != none || b.fresh < b.slots)) return i;
  }
  if (blocks_used == most_blocks || !reserve()) return none;
  const auto slots = static_cast<std::uint32_t>(block_size / size);
  auto* states = static_cast<slot_state*>(base::map_pages((slots * sizeof(slot_state) + 4095) / 4096 * 4096));
  if (states == nullptr) return none;
  if (base::raw_syscall(SYS_mprotect, start_of(blocks_used), block_size, PROT_READ | PROT_WRITE) != 0) return none;
  blocks[blocks_used] = {size, slots, 0, none, 0, states};
  return blocks_used++;
}

}  // namespace

stack_arena::slot stack_arena::take(std::size_t size) noexcept {
  if (size < 16384 || size % 4096 != 0 || size > block_size / 4) return {};
  const std::lock_guard guard(lock);
  const std::uint32_t at = block_for(size);
  if (at == none) return {};
  block& b = blocks[at];
  std::uint32_t number = b.first_free;
  if (number != none) {
    b.first_free = b.states[number].next_free;
  } else {
    number = b.fresh++;
    while (b.dumped < b.fresh * b.slot_size) {
      base::raw_syscall(SYS_madvise, start_of(at) + b.dumped, dump_step, MADV_DODUMP);
      b.dumped += dump_step;
    }
  }
  b.states[number].used = 0;
  return {start_of(at) + number * size, size, number, at};
}

void stack_arena::give(const slot& s) noexcept {
  const std::lock_guard guard(lock);
  block& b = blocks[s.block];
  b.states[s.number].next_free = b.first_free;
  b.first_free = s.number;
}

stack_arena::slot stack_arena::find(std::uint64_t address) const noexcept {
  if (arena <= 1 || address < arena || address >= start_of(blocks_used)) return {};
  const auto at = static_cast<std::uint32_t>((address - arena) / block_size);
  const block& b = blocks[at];
  const auto number = static_cast<std::uint32_t>((address - start_of(at)) / b.slot_size);
  if (number >= b.fresh) return {};
  return {start_of(at) + number * b.slot_size, b.slot_size, number, at};
}

stack_arena::protection stack_arena::protected_as(const slot& s) const noexcept {
  const slot_state& state = blocks[s.block].states[s.number];
  return {std::size_t{state.guard_pages} * 4096, static_cast<context::guard_kind>(state.kind), state.used != 0,
          state.altered != 0};
}

void stack_arena::note(const slot& s, const protection& now) noexcept {
  slot_state& state = blocks[s.block].states[s.number];
  state.guard_pages = static_cast<std::uint32_t>(now.guard / 4096) & 0xff'ffff;
  state.kind = static_cast<std::uint32_t>(now.kind) & 3;
  state.used = now.used;
  state.altered = now.altered;
}

}  // namespace weft::shim
