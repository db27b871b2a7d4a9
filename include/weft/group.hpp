// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>
#include <utility>

#include "weft/detail/mapping.hpp"
#include "weft/detail/membership.hpp"
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
/// What it shares with `pool` (join, kill, size...) stands in detail/membership.hpp.
///
/// Blocking  `join`, `kill`, `apply`, `map` and the reading of what `imap` gives.
/// Timeout   `join` and `kill` say false; the members go on, and may be waited for again. `map` throws, and its fibers are killed.
/// Cancel    All that wait are cancellation points; the members go on.
/// Threads   Safe from fibers of any hub and from plain threads. A fiber is spawned on the caller's hub.
/// Lifetime  Destroyed while there are members it lets go of them: they go on. While somebody waits for it: aborts.
/// Cost      A small allocation for each member. `add` of a fiber, `discard`, `contains`: a look at each member.
class group : public detail::membership, public detail::mapping<group> {
 public:
  /// As weft::spawn, and the fiber is a member.
  template <class F, class... Args>
  auto spawn(const fiber_attributes& attributes, F&& function, Args&&... args) {
    detail::member_set::place place(members);
    auto made = weft::spawn(attributes, std::forward<F>(function), std::forward<Args>(args)...);
    place.take(made, /*is_new=*/true);
    return made;
  }
  template <class F, class... Args>
  requires(!std::is_convertible_v<F, const fiber_attributes&>) auto spawn(F&& function, Args&&... args) {
    return spawn(fiber_attributes{}, std::forward<F>(function), std::forward<Args>(args)...);
  }
  /// Makes a fiber a member. @return false if it has ended, is none, or is a member already
  bool add(const fiber& f) { return detail::member_set::place(members).take(f, /*is_new=*/false); }

 private:
  friend class detail::mapping<group>;
  static bool runs_inline() noexcept { return false; }  // there is always room for one more
};

}  // namespace weft
