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
  blocked(call& c, fd::slot& s, int fd) noexcept : call_(c), slot_(s), fd_(fd) {}
  blocked(const blocked&) = delete;
  blocked& operator=(const blocked&) = delete;
  ~blocked() {
    if (watch_ != nullptr) fd::unpin(*watch_);
  }

  /// The descriptor to try again on: another one than the program's if that was closed meanwhile.
  int fd() const noexcept { return watch_ == nullptr ? fd_ : fd::fd_of(*watch_); }

  /// Waits until the direction may be ready.
  /// @return 0: try again. Else what the call returns if nothing was done yet: -EAGAIN when SO_RCVTIMEO or SO_SNDTIMEO
  ///         has passed, or a restart code.
  long wait(fd::direction dir) noexcept;

 private:
  call& call_;
  fd::slot& slot_;
  int fd_;
  fd::watch* watch_ = nullptr;
  std::int64_t due_ = core::timers::never;
};

/// The slot of a descriptor that the program uses; nullptr, with the call's result in @p result, where Weft has nothing
/// to do with it: bad descriptors, and files that never block.
inline fd::slot* slot_for(call& c, int fd, long& result) noexcept {
  fd::slot* s = fd::find(fd);
  if (__builtin_expect(s != nullptr, 1)) {
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
