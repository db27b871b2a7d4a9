// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "core/hub.hpp"

namespace weft::core {

/// What the records of a fiber say at a suspension point.
struct cancel_view {
  detail::cancel_record* requested = nullptr;  // the outermost that is
  std::int64_t earliest = timers::never;       // the deadline that comes first
};

/// Looks at the records of @p f that no shield hides; no clock is read.
cancel_view view_records(fiber& f) noexcept;

/// Whether an exception unwinds the running fiber: nothing is thrown at it then.
inline bool is_unwinding(const hub& h, const fiber& f) noexcept {
  const auto place = f.light ? h.exceptions : context::exception_place::of_this_thread();
  return place.exceptions->uncaught != 0;
}

/// Something may be due for @p f: ends its park, if that is a cancellation point and the record is not hidden, or leaves
/// a note for its next suspension point. On its hub.
void look_at_requests(fiber& f) noexcept;
/// The same from anywhere. The fiber's block stays, since its memory is type-stable.
void ask_to_look(fiber& f) noexcept;

/// Lets @p runner, a thread fiber that has not begun, run what was spawned as @p task: who kills the one, kills the other.
void lend_kill(fiber& task, fiber& runner) noexcept;
/// On the runner: kills reach it no more.
void return_kill(fiber& runner) noexcept;

/// The first deadline of the records of @p f behind @p now.
std::int64_t next_record(const fiber& f, std::int64_t now) noexcept;

/// The fiber's entry in the timer heap came up: notes it if a record is due, and places the entry anew for the next one.
void fire_records(fiber& f, std::int64_t now) noexcept;

/// Whether a suspension point of the running fiber would throw: for a system call that was interrupted.
bool is_cancel_due(fiber& f) noexcept;

/// A suspension point that did not wait: throws what is due and not hidden.
void throw_if_cancelled(hub& h, fiber& f);

}  // namespace weft::core
