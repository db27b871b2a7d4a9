// SPDX-License-Identifier: MIT
#pragma once

#include <functional>

namespace weft {

/// Functions to be called around every fork(2) of this process; to run another program take `process`, which forks
/// nothing of the kind.
///
/// In the child of a fork only the fiber that called it lives, as with threads; all others are gone without being unwound.
/// It goes on with its name, number and timeouts, on a hub of its own that has no memory of the parent's. When it ends, the
/// process exits with 0, as with the last thread; the child of the main fiber goes on to the end of main. Other OS threads
/// are gone too.
///
/// What the others held, they hold for ever: a mutex that another fiber had locked stays locked, a channel keeps their
/// places. So a program that goes on in the child without exec locks what it needs in @p prepare, and unlocks it in both
/// others, as with pthread_atfork(3). In the child `join` of a fiber of the parent returns false at once; watchers,
/// `signal_stream`s and `signal_handler`s are stopped and dispositions are as before them; a descriptor is the same file as
/// the parent's and can be waited for. A child made by vfork, posix_spawn or clone must do nothing but exec.
///
///     weft::at_fork([] { cache_lock.lock(); }, [] { cache_lock.unlock(); }, [] { cache_lock.unlock(); });
///
/// Calls fork itself plainly: there is no fork of Weft's own. @p prepare runs in the parent before, in the reverse order of
/// these calls; @p parent and @p child run behind it in their order, on the fiber that forked. Empty ones are left out.
///
/// Blocking  @p prepare may wait. The others may too, but the program that forked does not expect it.
/// Threads   Safe from any thread. A call from within one of the functions counts from the next fork on.
/// Lifetime  They stay for good.
/// @throws std::bad_alloc, std::system_error  no memory. An exception that leaves a function ends the program.
void at_fork(std::function<void()> prepare, std::function<void()> parent = {}, std::function<void()> child = {});

}  // namespace weft
