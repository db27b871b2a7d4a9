// SPDX-License-Identifier: MIT
#pragma once

#include "shim/signal_state.hpp"

namespace weft::shim {

inline constexpr int last_signal = 64;

constexpr signal_set bits() noexcept { return 0; }
template <class... Rest>
constexpr signal_set bits(int sig, Rest... rest) noexcept {
  return signal_bit(sig) | bits(rest...);
}

/// What no thread can block (kernel/signal.c, set_current_blocked).
inline constexpr signal_set unblockable = bits(SIGKILL, SIGSTOP);
/// What a processor exception raises; the kernel delivers them before others (SYNCHRONOUS_MASK).
inline constexpr signal_set synchronous = bits(SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS);
/// What a carrier never blocks: it must be hit on the OS thread that caused it, or is Weft's own.
inline constexpr signal_set never_blocked = synchronous | bits(SIGPIPE, 33);

/// struct kernel_sigaction: rt_sigaction's own layout.
struct kernel_action {
  union {
    void (*handler)(int);
    void (*detailed)(int, siginfo_t*, void*);
    std::uintptr_t word = 0;
  };
  unsigned long flags = 0;
  void (*restorer)() = nullptr;
  signal_set mask = 0;

  bool handles() const noexcept { return word > 1; }  // neither SIG_DFL nor SIG_IGN
};

enum class default_effect : unsigned char { terminate, ignore, stop };
default_effect default_of(int sig) noexcept;

/// What the program has set for @p sig.
kernel_action action_of(int sig) noexcept;
/// The same for a delivery: SA_RESETHAND takes effect.
kernel_action use_action(int sig) noexcept;
/// Whether the program ignores it, by SIG_IGN or by default.
bool is_ignored(int sig) noexcept;
/// The signals whose kernel disposition is our own handler, so that one arriving too early does no harm.
signal_set caught_signals() noexcept;

/// Takes the kernel's dispositions over / gives them back.
void adopt_actions() noexcept;
void restore_actions() noexcept;

/// From now on the kernel does by default what @p sig means.
void let_kernel_act(int sig) noexcept;
/// Does to the process what the kernel does by default for @p sig, by the kernel. Returns for stops alone.
void take_default(int sig, const siginfo_t& info) noexcept;

/// Guards the dispositions and the queues. Fibers hold it inside Weft alone, where no signal handler takes it; a native
/// thread blocks its signals for as long.
class signals_guard {
 public:
  signals_guard() noexcept;
  ~signals_guard() noexcept;
  signals_guard(const signals_guard&) = delete;
  signals_guard& operator=(const signals_guard&) = delete;

 private:
  signal_set before_ = 0;
  bool native_;
};
/// In a fork's child, where the holder may be gone.
void reset_signals_lock() noexcept;

}  // namespace weft::shim
