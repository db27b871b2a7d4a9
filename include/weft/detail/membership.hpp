// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <vector>

#include "weft/deadline.hpp"
#include "weft/detail/member_set.hpp"
#include "weft/fiber.hpp"

namespace weft::detail {

/// What can be done with the members of a `group` or `pool`, however they came in.
class membership {
 public:
  /// Lets go of a member, which goes on. @return false if it was none
  bool discard(const fiber& f) noexcept { return members.discard(f); }

  /// Waits until there is no member, be it for a moment: when this returns there may be new ones.
  /// @return false if @p by passed first. A member, which would wait for itself, gets false at once.
  bool join(deadline by = deadline::never()) { return !members.contains_caller() && members.wait_empty(by); }
  /// The same; then throws the failure of one that was a member when it was called, if there is any.
  bool join_and_rethrow(deadline by = deadline::never()) { return members.join_and_rethrow(by); }

  /// Kills all members, those too that come meanwhile, each once, and waits until they have ended. Called by a member it
  /// spares that one. @param with  what is thrown at them; null: `cancelled`. @return false if @p by passed first
  bool kill(deadline by = deadline::never()) { return members.kill(nullptr, by); }
  bool kill(const std::exception_ptr& with, deadline by = deadline::never()) { return members.kill(with, by); }
  /// The same without waiting, for those there are now.
  void request_kill(const std::exception_ptr& with = nullptr) noexcept { members.request_kill(with); }

  /// Members at this moment; each may end at any time.
  std::size_t size() const noexcept { return members.size(); }
  bool empty() const noexcept { return size() == 0; }
  bool contains(const fiber& f) const noexcept { return members.contains(f); }
  /// Handles of them, for a look at each.
  std::vector<fiber> fibers() const { return members.fibers(); }

 protected:
  membership() = default;
  explicit membership(const member_set::listener& told) noexcept : members(told) {}
  ~membership() = default;

  member_set members;
};

}  // namespace weft::detail
