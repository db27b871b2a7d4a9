// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shim/dispatch.hpp"
#include "shim/thread.hpp"

namespace weft::shim {

/// What clone(2) and clone3(2) say in their two ways, and fork(2) and vfork(2) mean.
struct clone_request {
  std::uint64_t flags = 0;         // without the exit signal
  std::uint64_t stack = 0;         // what the child's stack pointer starts at; 0: the parent's
  std::uint64_t stack_bottom = 0;  // where that stack ends; 0: not said, clone(2) does not know
  std::uint64_t tls = 0;
  int* parent_tid = nullptr;
  int* child_tid = nullptr;
};
/// @return an empty one for what the kernel refuses: clone3's arguments cannot be read, or are fewer than its first version's
clone_request read_clone_request(const frame& f) noexcept;

/// Whether @p flags ask for a thread of this process, as pthread_create's do; with storage of its own, or (no CLONE_SETTLS) the caller's.
bool is_thread_clone(std::uint64_t flags) noexcept;

/// In a fork's child: @p me, which is all that is left, goes on as the thread that it is when the child is taken over.
void keep_survivor(thread& me) noexcept;
/// Whether there is one.
bool has_survivor() noexcept;

/// Makes the calling (main, only) thread the first fiber of @p h. The block is made inside a hook, or the survivor's: `hooked` is 1.
thread* adopt_main_thread(core::hub& h) noexcept;
/// Undoes it, when the start failed later on.
void abandon_main_thread(thread& main) noexcept;

/// A thread number that no thread has: 2^22 <= tid < 2^28, since the kernel's end at 2^22, and futex words and clock numbers
/// hold them.
int new_tid() noexcept;

/// Writes the hub into the storage that @p tls points to.
void write_this_hub(std::uint64_t tls, core::hub* h) noexcept;

/// The most threads that lived at one time, main's included.
unsigned most_threads() noexcept;

long sys_clone(call&) noexcept;
long sys_clone3(call&) noexcept;
long sys_exit(call&) noexcept;
long sys_exit_group(call&) noexcept;

}  // namespace weft::shim
