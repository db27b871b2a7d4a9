// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "core/hub.hpp"

namespace weft::core {

/// What a signal's context says of the instruction that faulted.
struct fault_place {
  std::uintptr_t address;  // that could not be touched
  std::uintptr_t ip, sp, bp;
};

/// What a frame begins with, in code that was compiled with frame pointers.
struct frame_link {
  std::uintptr_t next, ret;
};

/// Whether it was a push or a call that went past the end of a stack, or the probe of a big frame.
bool touches_stack_end(const fault_place& at) noexcept;

/// Says where @p at was called from, as far as saved frame pointers lead and @p read can read them.
void say_frames(const fault_place& at, bool (*read)(frame_link& to, std::uintptr_t from, const void* context) noexcept,
                const void* context) noexcept;

/// Says whose stack is used up if @p f, a light fiber, has gone past the end of its own. In a signal handler, on another stack.
void report_overflow(const fiber& f, const fault_place& at) noexcept;

/// Has the calling thread's handlers of faults run on @p stack, which is mapped if it is none yet. Without memory nothing changes.
void use_fault_stack(void*& stack) noexcept;

/// From now on the calling thread, which runs @p h, has another stack to say so on, and SIGSEGV a handler that does, before the
/// kernel's default action. What the program has set up itself stays.
void expect_overflows(hub& h) noexcept;
/// The calling thread, which has run @p h, ends: its other stack is the next one's.
void expect_no_overflows(hub& h) noexcept;

}  // namespace weft::core
