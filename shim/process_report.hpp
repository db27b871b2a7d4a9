// SPDX-License-Identifier: MIT
#pragma once

#include "core/hub.hpp"
#include "shim/dispatch.hpp"

namespace weft::shim {

/// What the report will call the program.
void remember_program(const char* path) noexcept;

/// Counts one call that went through a handler.
void count_call(core::hub& h, handler handle, bool parked) noexcept;
void count_thread(core::hub& h) noexcept;
void count_preemption(core::hub& h) noexcept;

/// Prints the report, if one is asked for: once per process.
void report_at_exit() noexcept;

/// In a fork's child: nothing is counted, and nothing was reported.
void forget_counts() noexcept;

}  // namespace weft::shim
