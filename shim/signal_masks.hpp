// SPDX-License-Identifier: MIT
#pragma once

#include "shim/signal_state.hpp"

namespace weft::core {
class hub;
}

namespace weft::shim {

struct thread;

/// The raw rt_sigprocmask(SIG_SETMASK) of the calling OS thread. @return the mask before
signal_set block_in_kernel(signal_set mask) noexcept;

/// A thread's mask becomes @p to: the only way to change it. What is pending for the thread and can be taken now is
/// marked; what was aimed at the process and can be taken here no more goes to another thread.
/// On the thread's own fiber; may park until carrier 0 has followed.
void change_mask(thread& t, signal_set to) noexcept;
/// A new thread's mask, and a dead one's, in the count.
void count_mask(thread& t) noexcept;
void uncount_mask(thread& t) noexcept;

/// The mask that an OS thread is to have while it runs @p h: on carrier 0 what all threads block, elsewhere everything; and what the
/// hub's light fibers block.
signal_set carrier_mask(const core::hub& h) noexcept;

/// The mask that the light fibers of a hub see and leave to their children. They have it in common, as they have the OS thread: what all threads
/// block, and what they blocked themselves.
signal_set light_mask(const core::hub& h) noexcept;
/// Makes it @p to; what all threads block stays blocked. On the hub's OS thread.
void change_light_mask(core::hub& h, signal_set to) noexcept;
/// Carrier 0's kernel mask is made to block all that the threads do, where the kernel would act otherwise.
void settle_kernel_mask() noexcept;

/// In a signal handler on @p h, before it returns to the mask @p saved: makes that the one to have by now.
void follow_masks(core::hub& h, signal_set& saved) noexcept;
/// Whether carrier 0 blocks @p sig, or is about to: nobody can take it.
bool held_by_kernel(int sig) noexcept;
/// What carrier 0's mask is at the start.
void assume_kernel_mask(signal_set mask) noexcept;

/// Between these two the calling carrier has @p mask.
void expose_mask(core::hub& h, signal_set mask) noexcept;
void hide_mask(core::hub& h) noexcept;

/// In a fork's child: nothing is counted.
void reset_masks() noexcept;

}  // namespace weft::shim
