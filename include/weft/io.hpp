// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "weft/deadline.hpp"

struct pollfd;

namespace weft {

/// Waits until @p fd may be read from (or, listening, accepted from) without blocking, the peer has left, or there is an
/// error, which the next call on it will tell. Other fibers run meanwhile.
///
/// Readiness is a hint: another fiber may have been faster. So the descriptor should be non-blocking, and the way is to
/// try, and to wait only on EAGAIN.
///
/// On a thread that has no hub yet, this makes one for it.
/// @return false if @p by passed first; true for a number that is no descriptor's: the next call tells
/// @throws cancelled and what else cancels the fiber
/// @throws std::system_error when memory or, for the hub, descriptors are short
bool wait_readable(int fd, deadline by = deadline::never());
/// The same for writing and for the end of a connect.
bool wait_writable(int fd, deadline by = deadline::never());

/// Waits until @p fd is ready for one of @p events: POLLIN, POLLOUT and the others of poll(2), both directions at once if
/// both are asked for. Any number of fibers may wait for the same descriptor, and all of these are told.
/// @return what it is ready for, POLLERR and POLLHUP too; POLLNVAL if it is no descriptor or is closed meanwhile; 0 if
///         @p by passed first
/// @throws what wait_readable throws
short wait_ready(int fd, short events, deadline by = deadline::never());

/// As poll(2) for the calling fiber alone: waits until one of @p fds is ready and sets their `revents`. Entries with a
/// negative descriptor are left out; without any it waits for @p by.
///
///     pollfd both[] = {{left, POLLIN, 0}, {right, POLLIN, 0}};
///     if (weft::poll(both, 30s) == 0) return;   // neither
///
/// For a few descriptors that are waited for again and again it is as cheap as `wait_readable`; beyond four, and for events
/// other than POLLIN and POLLOUT, each call that waits makes an epoll.
/// @return how many have `revents`; 0 if @p by passed first
/// @throws what wait_readable throws, and std::system_error for what poll(2) refuses (more than RLIMIT_NOFILE)
int poll(std::span<pollfd> fds, deadline by = deadline::never());

/// As close(2), for descriptors that were waited for: who still waits goes on, and finds the descriptor bad. The number
/// must not be closed in another way, or the next file of this number would be taken for the old one.
int close(int fd) noexcept;

}  // namespace weft
