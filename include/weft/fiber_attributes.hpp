// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "weft/deadline.hpp"
#include "weft/hub.hpp"

namespace weft {

/// Whether a fiber has a libc identity (thread_local variables, errno, pthread_self) of its own.
enum class fiber_weight : unsigned char {
  automatic,  ///< thread where that can be, else light (links, continuations and watchers always are: see patch.hpp)
  light,      ///< shares its OS thread's: the cheaper
  thread,     ///< has its own: made by main or another thread fiber of a patched process; elsewhere spawn refuses
};

/// How a fiber is made; the defaults suit nearly all.
///
///     weft::spawn({.name = "reader", .stack_size = 1 << 20}, read_all, std::ref(socket));
struct fiber_attributes {
  /// Shown in dumps; up to 15 bytes are kept.
  const char* name = nullptr;
  /// Stack bytes at least, of which Weft takes up to 1.5 KiB; 0: 60 KiB, and what libc gives for a thread fiber. Rounded up to a power
  /// of two less 4 KiB, and 12 KiB are the least; pages that are not touched cost nothing. More than 1 GiB less 4 KiB is refused:
  /// spawn throws std::system_error(errc::invalid_argument). One that is used up ends the process by SIGSEGV, and a line on standard
  /// error says so, unless the program handles that signal.
  std::size_t stack_size = 0;
  /// Where it runs, for life.
  hub on{};
  /// When it becomes ready to run: a point or a duration from now. Until then it can be killed, and never runs.
  deadline start = deadline::from_ns(0);
  fiber_weight weight = fiber_weight::automatic;
};

}  // namespace weft
