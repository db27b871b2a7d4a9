// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/deadline.hpp"
#include "weft/detail/mapping.hpp"
#include "weft/detail/member_set.hpp"
#include "weft/fiber.hpp"

namespace weft {

/// Fibers that are waited for or killed together; each leaves by itself when it has ended.
///
/// Use a `pool` to limit how many run at once, and a `scope` where fibers must not outlive a block. As gevent's Group.
///
///     weft::group readers;
///     for (auto& source : sources) readers.spawn(read_all, std::ref(source));
///     if (!readers.join(5s)) readers.kill();
///
/// Blocking  `join`, `kill`, `apply`, `map` and the reading of what `imap` gives.
/// Timeout   `join` and `kill` say false; the members go on, and may be waited for again.
/// Cancel    All that wait are cancellation points; the members go on.
/// Threads   Safe from fibers of any hub and from plain threads. A fiber is spawned on the caller's hub.
/// Lifetime  Destroyed while there are members it lets go of them: they go on. While somebody waits for it: aborts.
/// Cost      A small allocation for each member. `add` of a fiber, `discard`, `contains`: a look at each member.
class group : public detail::mapping<group> {
 public:
  /// As weft::spawn, and the fiber is a member.
  template <class F, class... Args>
  auto spawn(const fiber_attributes& attributes, F&& function, Args&&... args) {
    detail::member_set::place place(members_);
    auto made = weft::spawn(attributes, std::forward<F>(function), std::forward<Args>(args)...);
    place.take(made, /*is_new=*/true);
    return made;
  }
  template <class F, class... Args>
  requires(!std::is_convertible_v<F, const fiber_attributes&>) auto spawn(F&& function, Args&&... args) {
    return spawn(fiber_attributes{}, std::forward<F>(function), std::forward<Args>(args)...);
  }
  /// Makes a fiber a member. @return false if it has ended, is none, or is a member already
  bool add(const fiber& f) { return detail::member_set::place(members_).take(f, /*is_new=*/false); }
  /// Lets go of a member, which goes on. @return false if it was none
  bool discard(const fiber& f) noexcept { return members_.discard(f); }

  /// Waits until there is no member, be it for a moment: when this returns there may be new ones.
  /// @return false if @p by passed first. A member, which would wait for itself, gets false at once.
  bool join(deadline by = deadline::never()) { return !members_.contains_caller() && members_.wait_empty(by); }
  /// The same; then throws the failure of one that was a member when it was called, if there is any.
  bool join_and_rethrow(deadline by = deadline::never()) { return members_.join_and_rethrow(by); }

  /// Kills all members, those too that come meanwhile, each once, and waits until they have ended. Called by a member it
  /// spares that one. @param with  what is thrown at them; null: `cancelled`. @return false if @p by passed first
  bool kill(deadline by = deadline::never()) { return members_.kill(nullptr, by); }
  bool kill(const std::exception_ptr& with, deadline by = deadline::never()) { return members_.kill(with, by); }
  /// The same without waiting, for those there are now.
  void request_kill(const std::exception_ptr& with = nullptr) noexcept { members_.request_kill(with); }

  /// Members at this moment; each may end at any time.
  std::size_t size() const noexcept { return members_.size(); }
  bool empty() const noexcept { return size() == 0; }
  bool contains(const fiber& f) const noexcept { return members_.contains(f); }
  /// Handles of them, for a look at each.
  std::vector<fiber> fibers() const { return members_.fibers(); }

 private:
  friend class detail::mapping<group>;
  static bool runs_inline() noexcept { return false; }  // there is always room for one more
  detail::member_set members_;
};

}  // namespace weft
