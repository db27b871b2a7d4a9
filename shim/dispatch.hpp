// SPDX-License-Identifier: MIT
#pragma once

#include "base/syscall.hpp"
#include "shim/arch/x86_64/frame.hpp"

namespace weft::shim {

/// A system call of the program on its way through Weft.
struct call {
  long nr;
  unsigned long args[6];
  frame* at;                     ///< the registers of the code that made it; nullptr when Weft makes it for the program
  std::uint32_t generation = 0;  ///< of its descriptor's slot, from before the first try; see `slot_for`
  std::int64_t resume_due = 0;   ///< set by a handler that returned restart_block: when its wait ends, for the next try

  int fd() const noexcept { return static_cast<int>(args[0]); }
  template <class T>
  T arg(int i) const noexcept {
    if constexpr (std::is_pointer_v<T>) {
      return reinterpret_cast<T>(args[i]);
    } else {
      return static_cast<T>(args[i]);
    }
  }
};

/// Performs a call on a fiber, as the kernel would: a value or -errno, or one of the kernel's own restart codes when a
/// signal for the fiber ended the wait.
using handler = long (*)(call&) noexcept;

// include/linux/errno.h: never seen by a program. The dispatcher runs the signal's handlers and then makes the call
// again or returns EINTR, as the kernel's signal code does (arch/x86/kernel/signal.c, handle_signal).
inline constexpr long restart_sys = -512;     ///< ERESTARTSYS: again if every handler that ran has SA_RESTART
inline constexpr long restart_always = -513;  ///< ERESTARTNOINTR: again in any case
inline constexpr long restart_nohand = -514;  ///< ERESTARTNOHAND: again only if no handler ran
inline constexpr long restart_block = -516;   ///< ERESTART_RESTARTBLOCK: as above; what remains of a time-out counts

/// The call as it is, straight to the kernel.
inline long pass(const call& c) noexcept {
  return base::raw_syscall(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5]);
}

/// From now on the calls of the table reach their handlers; before, only those that make threads.
void dispatch_all() noexcept;
/// Back to that: in a fork's child.
void dispatch_solo() noexcept;

}  // namespace weft::shim
