// SPDX-License-Identifier: MIT
#pragma once

#include "base/config.hpp"
#include "shim/arch/x86_64/frame.hpp"

namespace weft::shim {

/// What the environment said at load.
const base::config& settings() noexcept;

/// Whether the call in @p f, made by a thread without a hub, is the first thread of a process that Weft is to take over.
bool wants_threads(const frame& f) noexcept;

/// Takes the process over: patches what is left to patch, makes the hubs, makes the calling thread a fiber.
/// @return false if that is not possible: the process stays native, after one message.
bool start_threads() noexcept;

/// In a fork's child: it may be taken over anew.
void allow_start_again() noexcept;

}  // namespace weft::shim
