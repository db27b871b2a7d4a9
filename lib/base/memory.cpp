// SPDX-License-Identifier: MIT
#include "base/memory.hpp"

#include <string.h>
#include <sys/mman.h>

#include <mutex>

#include "base/syscall.hpp"

namespace weft::base {

constinit std::atomic<std::uint32_t> fork_generation{1};

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t smallest = 64;
constexpr std::size_t largest = 32768;
constexpr std::size_t chunk = 256 * 1024;
constexpr int classes = 10;  // 64 << 9 == 32768

struct free_block {
  free_block* next;
};

// In front of every block that `reallocate` gave: its class, or the mapping's length for a large one.
struct alignas(16) header {
  std::size_t large;
  int size_class;
};

spinlock arena_lock;
free_block* arena_free[classes];
char* arena_fresh;
char* arena_end;

int class_of(std::size_t bytes) noexcept {
  int c = 0;
  while (smallest << c < bytes) ++c;
  return c;
}

void* take_small(int c) noexcept {
  const std::lock_guard guard(arena_lock);
  if (free_block* block = arena_free[c]) {
    arena_free[c] = block->next;
    return block;
  }
  const std::size_t size = smallest << c;
  if (static_cast<std::size_t>(arena_end - arena_fresh) < size) {
    auto* pages = static_cast<char*>(map_pages(chunk));
    if (pages == nullptr) return nullptr;
    arena_fresh = pages;
    arena_end = pages + chunk;
  }
  void* block = arena_fresh;
  arena_fresh += size;
  return block;
}

void give_small(void* block, int c) noexcept {
  const std::lock_guard guard(arena_lock);
  auto* freed = static_cast<free_block*>(block);
  freed->next = arena_free[c];
  arena_free[c] = freed;
}

std::size_t whole_pages(std::size_t bytes) noexcept { return (bytes + page - 1) / page * page; }

header* take_block(std::size_t bytes) noexcept {
  const std::size_t total = bytes + sizeof(header);
  if (total <= largest) {
    const int c = class_of(total);
    auto* h = static_cast<header*>(take_small(c));
    if (h != nullptr) *h = {0, c};
    return h;
  }
  auto* h = static_cast<header*>(map_pages(whole_pages(total)));
  if (h != nullptr) *h = {whole_pages(total), 0};
  return h;
}

void give_block(header* h) noexcept {
  if (h->large != 0) {
    unmap_pages(h, h->large);
  } else {
    give_small(h, h->size_class);
  }
}

}  // namespace

void* map_pages(std::size_t bytes) noexcept {
  const long result =
      raw_syscall(SYS_mmap, nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return is_error(result) ? nullptr : reinterpret_cast<void*>(result);
}

void unmap_pages(void* pages, std::size_t bytes) noexcept { raw_syscall(SYS_munmap, pages, bytes); }

void* reallocate(void* block, std::size_t bytes) noexcept {
  if (block == nullptr) {
    if (bytes == 0) return nullptr;
    header* h = take_block(bytes);
    return h == nullptr ? nullptr : h + 1;
  }
  header* old = static_cast<header*>(block) - 1;
  if (bytes == 0) {
    give_block(old);
    return nullptr;
  }
  const std::size_t held = (old->large != 0 ? old->large : smallest << old->size_class) - sizeof(header);
  if (bytes <= held) return block;
  if (old->large != 0) {
    const std::size_t grown = whole_pages(bytes + sizeof(header));
    const long moved = raw_syscall(SYS_mremap, old, old->large, grown, MREMAP_MAYMOVE);
    if (is_error(moved)) return nullptr;
    auto* h = reinterpret_cast<header*>(moved);
    h->large = grown;
    return h + 1;
  }
  header* fresh = take_block(bytes);
  if (fresh == nullptr) return nullptr;
  memcpy(fresh + 1, block, held);
  give_block(old);
  return fresh + 1;
}

void* slab::take() noexcept {
  const std::lock_guard guard(lock_);
  if (free_ != nullptr) {
    free_block* block = free_;
    free_ = block->next;
    return block;
  }
  if (static_cast<std::size_t>(fresh_end_ - fresh_) < block_size_) {
    auto* pages = static_cast<char*>(map_pages(chunk));
    if (pages == nullptr) return nullptr;
    fresh_ = pages;
    fresh_end_ = pages + chunk;
  }
  void* block = fresh_;
  fresh_ += block_size_;
  return block;
}

void slab::give(void* block) noexcept {
  const std::lock_guard guard(lock_);
  auto* freed = static_cast<free_block*>(block);
  freed->next = free_;
  free_ = freed;
}

}  // namespace weft::base
