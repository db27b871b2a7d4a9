// SPDX-License-Identifier: MIT
#pragma once

#include "base/config.hpp"
#include "core/patching.hpp"
#include "shim/arch/x86_64/frame.hpp"

namespace weft::shim {

/// What the environment said at load.
const base::config& settings() noexcept;
/// Whether the program has asked for the patch itself, instead of being preloaded: it then has one hub until it asks for more, and
/// main is not preempted.
bool from_inside() noexcept;
/// Whether the environment switches everything off.
bool switched_off() noexcept;

/// Whether the call in @p f, made by a thread without a hub, is the first thread of a process that Weft is to take over.
bool wants_threads(const frame& f) noexcept;

/// Takes the process over: patches what is left to patch, makes the hubs, makes the calling thread a fiber, inside a hook.
/// @return false if that is not possible: the process stays native, after one message.
bool start_threads() noexcept;

/// Why a process cannot be taken over.
struct refusal {
  core::patch_result how = core::patch_result::done;
  const char* why = nullptr;
};
/// The same without the message. @return a refusal that says `done`, if it went well
refusal take_over() noexcept;

/// Other groups than those that the environment named: for who patches from inside.
void set_groups(base::patch_groups groups) noexcept;

/// Whether the process is to be taken over with its first thread or hub.
bool starts_by_itself() noexcept;

/// In a fork's child: it may be taken over anew.
void allow_start_again() noexcept;
/// It stays native, whatever threads it makes.
void refuse_start() noexcept;

}  // namespace weft::shim
