// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>
#include <ucontext.h>

#include <cstdint>

#include "shim/arch/x86_64/frame.hpp"
#include "shim/signal_state.hpp"

extern "C" {
/// What a signal handler that the kernel has called returns to.
void weft_signal_restorer();
/// Takes every register from @p context, and the mask and the alternate stack of the OS thread.
[[noreturn]] void weft_signal_return(ucontext_t* context);
/// Calls a handler on the stack that ends at @p sp, or on this one if that is 0. It may unwind.
void weft_call_handler(void (*handler)(int, siginfo_t*, void*), int sig, siginfo_t* info, void* context,
                       std::uint64_t sp);
}

namespace weft::shim {

/// A signal's context for code that is in a system call, as the kernel would write it.
struct call_context {
  ucontext_t context;
  alignas(64) unsigned char fpu[512];  // fxsave's layout
};

/// @param ip  behind the call, or at its instruction if it is to be made again
/// @param ax  what it returned, or its number
void describe_call(call_context& to, const frame& f, std::uint64_t ip, std::uint64_t ax) noexcept;

/// The kernel's sigset_t is a word; ucontext_t has room for more.
inline signal_set& mask_of(ucontext_t& c) noexcept { return *reinterpret_cast<signal_set*>(&c.uc_sigmask); }

inline std::uint64_t ip_of(const ucontext_t& c) noexcept {
  return static_cast<std::uint64_t>(c.uc_mcontext.gregs[REG_RIP]);
}
inline std::uint64_t sp_of(const ucontext_t& c) noexcept {
  return static_cast<std::uint64_t>(c.uc_mcontext.gregs[REG_RSP]);
}
inline void set_ip(ucontext_t& c, std::uint64_t ip) noexcept { c.uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(ip); }

/// What such a frame takes of a stack.
std::size_t frame_size(const ucontext_t& at) noexcept;

/// Moves a signal's frame that the kernel wrote onto the stack below @p sp: when the running handler returns, @p enter
/// begins there with the handler's three arguments, and its return goes on where the signal came.
/// @return false if that memory cannot be written
bool move_frame(ucontext_t& at, const siginfo_t& info, std::uint64_t sp,
                void (*enter)(int, siginfo_t*, void*)) noexcept;

}  // namespace weft::shim
