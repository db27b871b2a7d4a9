// SPDX-License-Identifier: MIT
#pragma once

#include "shim/dispatch.hpp"

namespace weft::shim {

// pthread_create maps each stack and then protects its guard: two mappings a thread, so that vm.max_map_count ends that
// near 32,000 threads. These serve such stacks out of one mapping instead; every other call is the kernel's.

long sys_mmap(call&) noexcept;
long sys_munmap(call&) noexcept;
long sys_mprotect(call&) noexcept;
long sys_madvise(call&) noexcept;

/// The thread stack of ours that @p address lies in, guard included; false if it lies in none.
bool find_thread_stack(std::uint64_t address, std::uint64_t& bottom, std::uint64_t& size) noexcept;

/// How many bytes the kernel lets main's stack grow to; the largest number where there is no limit.
std::uint64_t main_stack_limit() noexcept;

}  // namespace weft::shim
