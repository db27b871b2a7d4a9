// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "base/text.hpp"
#include "core/hub.hpp"

namespace weft::core {

/// What the thread is to be that a fiber of a patched process makes with its next pthread_create.
struct thread_request {
  bool native = false;    ///< an OS thread, which has no part in the patch
  fiber* task = nullptr;  ///< the block of a spawn, which says on which hub: the thread fiber is to run it
};

/// Says so for as long as it lives. Nothing on a thread that makes native ones anyway.
class making_thread {
 public:
  explicit making_thread(const thread_request& request) noexcept;
  making_thread(const making_thread&) = delete;
  making_thread& operator=(const making_thread&) = delete;
  ~making_thread();

 private:
  fiber* maker_ = nullptr;
};

/// Whether a pthread_create here makes a thread fiber.
bool makes_thread_fibers() noexcept;

enum class patch_result : std::uint8_t {
  done,
  off,         ///< the environment switches everything off
  crowded,     ///< there are threads or fibers already
  misplaced,   ///< not on main's thread
  unwritable,  ///< the text may not be changed
  exhausted,   ///< no memory or descriptors for the hubs
};

/// What the shim, once it is loaded, does for the library.
struct patcher {
  /// Takes the process over with these groups, or adds them. @param problem  why not
  patch_result (*patch)(std::uint32_t groups, base::text& problem) noexcept;
  /// The groups in force; 0 in a process that is not patched.
  std::uint32_t (*groups)() noexcept;
  /// The calling thread is about to need its first hub: takes the process over if that is to be with its first thread, as when it
  /// was preloaded. @return whether the thread has one of the shim's now
  bool (*take_over)() noexcept;
  /// In a fork's child: if a thread fiber called fork, takes the process over anew, and that fiber goes on. @return whether one did
  bool (*survive)() noexcept;
  /// One more hub for thread fibers, with an OS thread; nullptr: there is none to be had.
  hub* (*add_hub)() noexcept;
};

/// nullptr: the shim is not there.
extern const patcher* the_patcher;
/// Raised by who loads the shim in order to patch from inside: it then does nothing by itself.
extern bool patch_from_inside;

}  // namespace weft::core
