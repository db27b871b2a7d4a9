// SPDX-License-Identifier: MIT
#pragma once

#include "core/timers.hpp"
#include "fd/table.hpp"
#include "fd/watch.hpp"
#include "shim/dispatch.hpp"

namespace weft::shim {

/// A call that would have blocked on a descriptor: waits as often as needed. Costs nothing until the first `wait`.
class blocked {
 public:
  blocked(call& c, fd::slot& s, int fd) noexcept : blocked(c, s, fd, c.generation) {}
  /// For another descriptor than the call's first. @param generation  of its slot, from before the first try
  blocked(call& c, fd::slot& s, int fd, std::uint32_t generation) noexcept
      : call_(c), slot_(s), fd_(fd), generation_(generation) {}

  /// The descriptor to try again on: another one than the program's if that was closed meanwhile.
  int fd() const noexcept { return hold_.taken() ? hold_.fd() : fd_; }

  /// Whether it has waited. Then the number may be another file's by now: only `fd` is sure.
  bool has_waited() const noexcept { return hold_.taken(); }

  /// Waits until the direction may be ready.
  /// @return 0: try again. Else what the call returns if nothing was done yet: -EAGAIN when SO_RCVTIMEO or SO_SNDTIMEO
  ///         has passed, or a restart code.
  long wait(fd::direction dir) noexcept;

  /// The call as the program made it, on `fd`, by an OS thread that waits in it.
  long offload_call() noexcept;

 private:
  long start_over() noexcept;

  call& call_;
  fd::slot& slot_;
  int fd_;
  std::uint32_t generation_;
  fd::hold hold_;
  std::int64_t due_ = core::timers::never;
};

/// One try, on @p fd in place of the first argument, of a call that takes no flag against waiting: O_NONBLOCK is set for the
/// moment. Only for sockets that nobody else can see (fd::is_sole).
long pass_nonblocking(call c, fd::slot& s, int fd) noexcept;

/// The slot of a descriptor that the program uses; nullptr, with the call's result in @p result, where Weft has nothing
/// to do with it: bad descriptors, and files that never block.
inline fd::slot* slot_for(call& c, int fd, long& result) noexcept {
  fd::slot* s = fd::find(fd);
  if (__builtin_expect(s != nullptr, 1)) {
    c.generation = s->generation.load(std::memory_order_acquire);
    const fd::kind k = s->what();
    if (__builtin_expect(k != fd::kind::unknown && k != fd::kind::plain, 1)) return s;
    if (s->has(fd::slot::reserved)) {
      result = -9 /* EBADF */;
      return nullptr;
    }
    const fd::kind learned = k == fd::kind::unknown ? fd::learn(*s, fd) : k;
    if (learned != fd::kind::unknown && learned != fd::kind::plain) return s;
  }
  result = pass(c);
  return nullptr;
}

}  // namespace weft::shim
