// SPDX-License-Identifier: MIT
#include "context/guard.hpp"

#include <sys/mman.h>

#include <atomic>

#include "base/memory.hpp"
#include "base/message.hpp"
#include "base/syscall.hpp"

namespace weft::context {

namespace {

// include/uapi/asm-generic/mman-common.h, Linux 6.13; Debian 12's headers do not have them.
constexpr int madv_guard_install = 102;
constexpr int madv_guard_remove = 103;

constexpr int mapping_limit = 28'000;

enum : int { unknown, present, absent };
std::atomic<int> lightweight{unknown};
std::atomic<int> mapped_guards{0};

}  // namespace

bool has_lightweight_guards() noexcept {
  int state = lightweight.load(std::memory_order_relaxed);
  if (state == unknown) {
    void* page = base::map_pages(4096);
    if (page == nullptr) return false;
    state = base::raw_syscall(SYS_madvise, page, 4096, madv_guard_install) == 0 ? present : absent;
    base::unmap_pages(page, 4096);
    lightweight.store(state, std::memory_order_relaxed);
  }
  return state == present;
}

guard_kind install_guard(void* pages, std::size_t bytes) noexcept {
  if (has_lightweight_guards() && base::raw_syscall(SYS_madvise, pages, bytes, madv_guard_install) == 0) {
    return guard_kind::lightweight;
  }
  const int before = mapped_guards.fetch_add(1, std::memory_order_relaxed);
  if (before < mapping_limit && base::raw_syscall(SYS_mprotect, pages, bytes, PROT_NONE) == 0) {
    return guard_kind::mapping;
  }
  mapped_guards.fetch_sub(1, std::memory_order_relaxed);
  static std::atomic<bool> warned{false};
  if (!warned.exchange(true, std::memory_order_relaxed)) {
    base::say(
        "stacks go without guard pages from here on: this kernel has no lightweight guards (Linux 6.13), and more "
        "mappings would exceed vm.max_map_count");
  }
  return guard_kind::none;
}

void remove_guard(void* pages, std::size_t bytes, guard_kind kind) noexcept {
  if (kind == guard_kind::lightweight) {
    base::raw_syscall(SYS_madvise, pages, bytes, madv_guard_remove);
  } else if (kind == guard_kind::mapping) {
    base::raw_syscall(SYS_mprotect, pages, bytes, PROT_READ | PROT_WRITE);
    mapped_guards.fetch_sub(1, std::memory_order_relaxed);
  }
}

}  // namespace weft::context
