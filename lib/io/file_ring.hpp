// SPDX-License-Identifier: MIT
#pragma once

#include <liburing.h>

#include <cstdint>

#include "core/hub.hpp"
#include "io/file_call.hpp"
#include "loop/loop.hpp"
#include "weft/detail/spin.hpp"

namespace weft::io {

/// The io_uring of one hub. Made when the first of the hub's fibers uses a file; its descriptor is one more that the hub's loop
/// watches.
///
/// Threads   Fibers of its hub. The lock is for those that the shim preempts.
class file_ring {
 public:
  constexpr file_ring() noexcept = default;
  file_ring(const file_ring&) = delete;
  file_ring& operator=(const file_ring&) = delete;

  /// nullptr where the kernel gives none. On a thread that has no hub yet this makes one for it.
  static file_ring* of_this_hub();
  /// For tests: whether rings are used. Not while a call is under way.
  static void allow(bool yes) noexcept;

  /// Has @p c done; the kernel has let go of all it points to when this returns or throws. @p result is left alone if the
  /// deadline has passed, and set also when this throws.
  /// @return false if the kernel does not take it
  bool perform(const file_call& c, deadline by, io_result& result);

 private:
  enum class state : std::uint8_t { untried, absent, usable };
  struct request;
  struct readiness : loop::io {
    file_ring* owner = nullptr;
  };

  bool prepare(core::hub& h) noexcept;
  bool submit(const file_call* c, request& r) noexcept;
  bool flush() noexcept;
  void reap() noexcept;
  void take_back(request& r) noexcept;
  static void forget_after_fork() noexcept;

  detail::spinlock lock_;
  state state_ = state::untried;
  io_uring ring_{};
  readiness completions_;
};

}  // namespace weft::io
