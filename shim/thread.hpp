// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "core/scheduler.hpp"
#include "shim/arch/x86_64/frame.hpp"
#include "shim/signal_state.hpp"

struct robust_list_head;

namespace weft::shim {

/// A thread fiber: one of the program's threads, main's included.
struct thread : core::fiber {
  int tid = 0;                         // what gettid says: fake but for main and a fork's survivor
  int* clear_tid = nullptr;            // CLONE_CHILD_CLEARTID, set_tid_address(2)
  robust_list_head* robust = nullptr;  // set_robust_list(2)
  std::size_t robust_size = 0;
  int comm_fd = -1;                // what others write this thread's name to, if anybody did
  bool is_main = false;            // lives on the main kernel thread's own stack
  bool lends_storage = false;      // a clone without CLONE_SETTLS was made under its thread pointer
  bool borrows_storage = false;    // it is such a clone: its thread pointer is another's
  frame start{};                   // the registers it begins with
  std::uint64_t start_sp = 0;      // above all of its stack
  std::uint64_t stack_bottom = 0;  // of its stack, if whoever made it said so
  std::uint64_t affinity[16]{};    // sched_setaffinity's last word; 0: the process's
  signal_state signals;
};

/// The running thread. Only where `weft_this_hub` is set and a thread fiber runs (in every handler).
inline thread& self() noexcept { return static_cast<thread&>(core::self()); }

/// The thread that the program knows by @p tid; nullptr if there is none. It may end at any time unless the caller's
/// hub is its home.
thread* find_thread(int tid) noexcept;

/// Calls @p visit for every live thread, under the lock of the thread table: it must not park or take that lock.
void for_each_thread(void (*visit)(thread&, void*) noexcept, void* context) noexcept;

/// Whether threads have been made: hubs exist, calls are dispatched.
bool is_threaded() noexcept;

/// How many of the program's threads live.
unsigned live_threads() noexcept;

/// Forgets all threads, hubs and carriers: a fork's child. It is a native process from then on.
void become_solo() noexcept;

/// The same in the child of a light fiber, which goes on as one, on a fresh hub (core/fork.hpp), and with @p mask: its process stays
/// without the patch.
void become_light(signal_set mask) noexcept;

}  // namespace weft::shim
