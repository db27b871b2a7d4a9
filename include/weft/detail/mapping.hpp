// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/deadline.hpp"
#include "weft/detail/task_body.hpp"
#include "weft/imap_results.hpp"
#include "weft/shield.hpp"

namespace weft::detail {

/// What groups and pools can do with a function and a range. @tparam Pool  derives from this; has `spawn` and `runs_inline`
template <class Pool>
class mapping {
 public:
  /// What a fiber that calls an F with @p Args gives.
  template <class F, class... Args>
  using result_of = typename task_body<std::decay_t<F>, std::decay_t<Args>...>::result_type;

  /// Calls @p function with @p args in a fiber of its own, waits, and gives the result or throws. If the caller is cancelled
  /// the fiber is killed, and waited for: so the call may refer to what the caller has. Called by a member of a full pool it
  /// calls @p function at once: members that ask their own pool cannot lock it up. With a deadline: `spawn` (in a pool
  /// `try_spawn`), and `task::get`.
  template <class F, class... Args>
  auto apply(F&& function, Args&&... args) -> std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...> {
    if (self().runs_inline()) return std::invoke(std::forward<F>(function), std::forward<Args>(args)...);
    auto asked = self().spawn(std::forward<F>(function), std::forward<Args>(args)...);
    try {
      asked.join();
    } catch (...) {
      const shield until_ended;
      asked.kill();
      throw;
    }
    return std::move(asked).get();
  }

  /// Calls @p function for each element, each in a fiber of its own. @return the results in the elements' order, a vector;
  ///         nothing if the function gives nothing
  /// @throws the first failure in that order; std::system_error (timed_out) when @p by has passed. Then, and when the caller is
  ///         cancelled, the other fibers are killed and waited for.
  template <class F, class Range>
  auto map(F function, Range&& range, deadline by = deadline::never()) {
    auto results = imap(std::move(function), std::forward<Range>(range));
    using result = typename decltype(results)::result;
    const auto check_end = [&results] {
      if (!results.done()) throw std::system_error(std::make_error_code(std::errc::timed_out), "weft: map");
    };
    try {
      if constexpr (std::is_void_v<result>) {
        while (results.next(by)) {
        }
        check_end();
      } else {
        std::vector<map_value<result>> all;
        while (auto value = results.next(by)) all.push_back(*std::move(value));
        check_end();
        return all;
      }
    } catch (...) {
      results.kill();
      throw;
    }
  }
  /// The same, each result when it is there: see imap_results.hpp.
  /// @param max_unread  how many elements may be begun and not read; 0: any number
  template <class F, class Range>
  auto imap(F function, Range&& range, std::size_t max_unread = 0) {
    return imap_results<Pool, F, Range>(self(), std::move(function), std::forward<Range>(range), max_unread,
                                        /*ordered=*/true);
  }
  /// The same in the order in which they become ready.
  template <class F, class Range>
  auto imap_unordered(F function, Range&& range, std::size_t max_unread = 0) {
    return imap_results<Pool, F, Range>(self(), std::move(function), std::forward<Range>(range), max_unread,
                                        /*ordered=*/false);
  }

 private:
  friend Pool;
  mapping() = default;
  Pool& self() noexcept { return static_cast<Pool&>(*this); }
};

}  // namespace weft::detail
