// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>
#include <ucontext.h>

namespace weft::core {
class hub;
}

namespace weft::shim {

struct thread;

// What the kernel calls. Each runs with everything blocked but faults, on its carrier's alternate stack; what is to run in
// the place of the interrupted thread goes on by move_frame.
void on_signal(int sig, siginfo_t* info, void* context);
void on_kick(int sig, siginfo_t* info, void* context);
void on_fault(int sig, siginfo_t* info, void* context);

/// The hub whose OS thread is calling; nullptr on native threads, and in a vfork's child, which shares our memory.
core::hub* interrupted_hub() noexcept;
/// Whether the interrupted code is the program's own, so that handlers and other fibers may run on top of it: not inside
/// a call, nor in the library, which a linked program calls without one.
bool in_own_code(const thread* t, const ucontext_t& at) noexcept;
/// Once, before signals are caught: where the library lies.
void find_library() noexcept;
/// The thread that it runs at present; nullptr for the loop and for light fibers.
thread* interrupted_thread(core::hub& h) noexcept;
/// Calls the program's handler as the kernel would have, on a thread that is none of ours.
void run_natively(int sig, siginfo_t* info, void* context);

}  // namespace weft::shim
