// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/deadline.hpp"
#include "weft/detail/mapping.hpp"
#include "weft/detail/membership.hpp"
#include "weft/detail/misuse.hpp"
#include "weft/fiber.hpp"
#include "weft/no_limit.hpp"
#include "weft/semaphore.hpp"

namespace weft {
namespace detail {

/// How many more a pool has room for. The first of the pool's bases: members give their room back until `membership`, the
/// next one, has let go of them.
class pool_room {
 protected:
  explicit pool_room(std::size_t limit) : vacancies(static_cast<std::ptrdiff_t>(std::min(limit, most))) {}
  ~pool_room() {
    if (vacancies.is_awaited()) [[unlikely]]
      destroyed_in_use("pool", this);
  }

  member_set::listener given_back_by_members() noexcept {
    return {this, [](void* me) noexcept { static_cast<pool_room*>(me)->vacancies.release(); }};
  }

  counting_semaphore<> vacancies;

 private:
  static constexpr std::size_t most = counting_semaphore<>::max();
};

}  // namespace detail

/// A group of at most so many fibers: `spawn` waits for room.
///
/// So a producer cannot run ahead of the work. A `fiber_executor` queues instead of waiting; a `semaphore` limits parts of
/// what fibers do. As gevent's Pool.
///
///     weft::pool fetchers(20);
///     while (auto url = urls.receive()) fetchers.spawn(fetch, *url);    // the 21st waits here
///     fetchers.join();
///
/// As group, and:
///
/// Blocking  `spawn` and `add` while the pool is full; `wait_available`.
/// Order     Who waits for room gets it first come, first served.
/// Cancel    A cancelled `spawn` has spawned nothing.
/// Lifetime  Destroying it while somebody waits for room aborts.
class pool : private detail::pool_room, public detail::membership, public detail::mapping<pool> {
 public:
  /// @param limit  members at most; 0: no fiber ever gets in
  explicit pool(std::size_t limit = no_limit) : pool_room(limit), membership(given_back_by_members()), limit_(limit) {}

  /// As weft::spawn, when there is room, and the fiber is a member. With a deadline: `try_spawn`.
  template <class F, class... Args>
  auto spawn(const fiber_attributes& attributes, F&& function, Args&&... args) {
    vacancies.acquire();
    return spawn_in_room(attributes, std::forward<F>(function), std::forward<Args>(args)...);
  }
  template <class F, class... Args>
  requires(!std::is_convertible_v<F, const fiber_attributes&>) auto spawn(F&& function, Args&&... args) {
    return spawn(fiber_attributes{}, std::forward<F>(function), std::forward<Args>(args)...);
  }
  /// The same if there is room before @p by passes; `0s` tries. @return nothing if there was none; the arguments are as they
  ///         were then
  template <class F, class... Args>
  auto try_spawn(deadline by, F&& function, Args&&... args)
      -> std::optional<decltype(weft::spawn(std::forward<F>(function), std::forward<Args>(args)...))> {
    if (!vacancies.acquire(by)) return std::nullopt;
    return spawn_in_room(fiber_attributes{}, std::forward<F>(function), std::forward<Args>(args)...);
  }
  /// Makes a fiber a member once there is room; it may have ended until then.
  /// @return false if @p by passed first, or it has ended, is none, or is a member already
  bool add(const fiber& f, deadline by = deadline::never());

  std::size_t limit() const noexcept { return limit_; }
  /// How many more there is room for, at this moment.
  std::size_t free_count() const noexcept { return static_cast<std::size_t>(vacancies.available()); }
  bool full() const noexcept { return free_count() == 0; }
  /// Waits until there is room. @return for how many; 0 if @p by passed first
  std::size_t wait_available(deadline by = deadline::never());

 private:
  friend class detail::mapping<pool>;
  bool runs_inline() const noexcept { return full() && members.contains_caller(); }

  // Taken; given back unless the fiber becomes a member, which gives it back at its end.
  class room {
   public:
    explicit room(pool& owner) noexcept : owner_(&owner) {}
    room(const room&) = delete;
    room& operator=(const room&) = delete;
    ~room() {
      if (owner_ != nullptr) owner_->vacancies.release();
    }
    void pass_on() noexcept { owner_ = nullptr; }

   private:
    pool* owner_;
  };

  template <class F, class... Args>
  auto spawn_in_room(const fiber_attributes& attributes, F&& function, Args&&... args) {
    room mine(*this);
    detail::member_set::place place(members);
    auto made = weft::spawn(attributes, std::forward<F>(function), std::forward<Args>(args)...);
    if (place.take(made, /*is_new=*/true)) mine.pass_on();
    return made;
  }

  const std::size_t limit_;
};

}  // namespace weft
