// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/thread_pool.hpp"

namespace weft {

/// The pool that `offload` uses, made at the first use and never destroyed. Its limit is 8 threads a processor, 32 at
/// least, because its tasks mostly wait; `limit()` of it changes that.
thread_pool& default_thread_pool();

/// Calls @p function on a real thread, while the calling fiber waits and others of its hub run: for a library that blocks.
///
/// To compute on all processors use a `thread_pool` of your own; for a task whose result comes later, `submit` of that.
///
///     std::string page = weft::offload([&] { return old_library_fetch(url); });
///
/// Blocking  Only the calling fiber. On a thread of that pool @p function is called at once.
/// Order     Calls start in the order they were made.
/// Timeout   With a deadline: nothing (false for a void function) if it passed first; a reference as std::reference_wrapper.
/// Cancel    A cancellation point. A call that was given up, cancelled or late, does not begin if it has not begun; else
///           it goes on, and its result is dropped. So @p function owns what it uses: it is moved into the call and
///           lives there until its end. References it captures must live as long.
/// Threads   From any.
/// Cost      Two wakes of the kernel, about 10 µs; a new thread if none is idle.
/// @throws what @p function throws; std::system_error  no thread can be made and there is none
template <class F>
auto offload(F&& function) -> std::invoke_result_t<std::decay_t<F>> {
  return default_thread_pool().apply(std::forward<F>(function));
}
template <class F>
auto offload(F&& function, deadline by) {
  auto result = default_thread_pool().submit(std::forward<F>(function));
  return detail::get_if(detail::wait_or_cancel(result, by), result);
}

}  // namespace weft
