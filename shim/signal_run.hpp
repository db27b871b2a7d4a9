// SPDX-License-Identifier: MIT
#pragma once

#include <ucontext.h>

#include "shim/signal_actions.hpp"

namespace weft::core {
class hub;
}

namespace weft::shim {

struct thread;

/// A signal that a handler of the program is to be called for.
struct delivery {
  siginfo_t info;
  kernel_action act;
};

/// Takes the next signal that the running thread @p t can take; those without a handler have their effect at once.
/// @return false: none is left
bool next_signal(thread& t, delivery& d) noexcept;

/// Calls the handler of @p d on the running thread @p t, inside Weft, which it leaves meanwhile. @p at is what it
/// interrupts; its mask is the one that is in force behind it. The handler may never return, so nothing may be open here
/// and in the callers: neither has cleanups, and neither is noexcept.
void run_handler(thread& t, delivery& d, ucontext_t& at);

/// Where the frame of a handler of Weft's own may stand that has interrupted @p t at @p at: the top of the thread's alternate
/// stack if it runs on none of the stacks that libc or the kernel gave it, else the interrupted one, below its red zone.
std::uint64_t interruption_stack(const thread& t, const ucontext_t& at) noexcept;

/// In a signal handler of the kernel that came in the thread's own code, with everything blocked and `hooked` up: calls
/// what can be called. Everything is blocked again behind it.
void run_pending(core::hub& h, thread& t, ucontext_t& at);

/// The alternate stack as sigaltstack(2) tells of it to code whose stack pointer is @p sp.
stack_t describe_alternate(const thread& t, std::uint64_t sp) noexcept;
bool on_alternate(const thread& t, std::uint64_t sp) noexcept;
/// The top of the stack that a handler with @p act begins on; 0: the present one.
std::uint64_t handler_stack(const thread& t, const kernel_action& act, std::uint64_t sp) noexcept;

}  // namespace weft::shim
