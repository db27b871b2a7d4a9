// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

#include "weft/detail/task_body.hpp"
#include "weft/fiber_attributes.hpp"
#include "weft/task.hpp"
#include "weft/this_fiber.hpp"

namespace weft {

/// Starts a fiber that calls @p function with @p args, copied or moved in as std::thread does; the `task` it returns is a
/// handle of it. To be sure that it has ended at the end of a block take a `scope`, to limit how many run a `pool`.
///
///     weft::task<int> answer = weft::spawn([] { return 42; });
///     weft::spawn({.name = "beat", .start = 10s}, beat, std::ref(clock));
///     std::cout << answer.get();
///
/// It runs when the spawning fiber waits or yields, after those that are ready already; until then it is its closure alone
/// and has no stack. Only where more than a thousand fibers of a hub have not begun, one that is joined goes before the
/// others, lest a tree of fibers exists all at once. A function that takes a std::stop_token before @p args gets one that
/// `kill` triggers, as from std::jthread. An exception that leaves the function is kept for `get`: also std::bad_function_call, of an
/// empty std::function.
///
/// Blocking  Never. On a thread that has no hub yet, this makes one for it.
/// Threads   From any; the fiber belongs to the calling thread's hub, unless the attributes or `weft::run` say otherwise.
/// Cost      One block, reused; a closure with its result of more than 64 bytes is allocated besides.
/// @throws std::bad_alloc, what copying or moving the arguments throws, and std::system_error: the hub cannot be made (no
///         descriptors left), a thread fiber is asked for in a process that is not patched, or a stack of 1 GiB or more
template <class F, class... Args>
auto spawn(const fiber_attributes& attributes, F&& function, Args&&... args) {
  using body = detail::task_body<std::decay_t<F>, std::decay_t<Args>...>;
  return task<typename body::result_type>(
      detail::spawn_body<body>(attributes, std::forward<F>(function), std::forward<Args>(args)...));
}
template <class F, class... Args>
requires(!std::is_convertible_v<F, const fiber_attributes&>) auto spawn(F&& function, Args&&... args) {
  return spawn(fiber_attributes{}, std::forward<F>(function), std::forward<Args>(args)...);
}

/// The same, but it becomes ready at @p start: a duration from now, or a point. Killed before, it never runs.
template <class F, class... Args>
auto spawn_after(deadline start, F&& function, Args&&... args) {
  return spawn(fiber_attributes{.start = start}, std::forward<F>(function), std::forward<Args>(args)...);
}

}  // namespace weft
