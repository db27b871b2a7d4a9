// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <future>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/detail/job.hpp"
#include "weft/future.hpp"
#include "weft/thread_pool.hpp"

namespace weft {

namespace detail {
/// Where threads wait for what has no way to tell a fiber. Without a limit: of those that wait one may depend on another.
thread_pool& waiting_threads();

/// A future with what @p function returns or throws.
template <class T, class F>
future<T> fulfilled(F&& function) {
  state_ptr<future_value<T>> state(new future_value<T>);
  state->claim();
  state->fill_from(std::forward<F>(function), [] {});
  return future<T>(std::move(state));
}

template <class F>
bool is_ready_now(const F& f) {
  return f.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}
}  // namespace detail

/// A future of ours for one of std: for results of libraries that know nothing of fibers.
///
/// std::future can only be waited for by a thread, and `get` of it would stop the hub. Here a thread of a pool does that,
/// unless the result is there already.
///
///     std::future<row> row = database.query(sql);
///     show(weft::to_future(std::move(row)).get());           // other fibers run meanwhile
///
/// Blocking  Nothing here; of the future that it gives, `get` and `wait`.
/// Cancel    Who is cancelled, or late, lets the thread wait on: it ends when the std::future is ready. A deferred one,
///           of std::async, is run on that thread.
/// Threads   From any.
/// Cost      Two wakes of the kernel, and a thread for each that is waited for at the same time.
/// @throws std::future_error(no_state)  it is not valid; std::system_error  no thread can be made
template <class T>
future<T> to_future(std::future<T> from) {
  if (!from.valid()) detail::throw_no_state();
  if (detail::is_ready_now(from)) return detail::fulfilled<T>([&from]() -> T { return from.get(); });
  auto take = [from = std::move(from)]() mutable -> T { return from.get(); };
  return detail::waiting_threads().submit(std::move(take));
}
/// The same; the value is copied.
template <class T>
future<T> to_future(std::shared_future<T> from) {
  if (!from.valid()) detail::throw_no_state();
  return detail::waiting_threads().submit([from = std::move(from)]() -> T { return from.get(); });
}

/// Waits until @p from is ready. @return false if @p by passed first. A cancellation point.
template <class T>
bool wait(const std::shared_future<T>& from, deadline by = deadline::never()) {
  if (!from.valid()) detail::throw_no_state();
  if (detail::is_ready_now(from)) return true;
  auto waited = detail::waiting_threads().submit([from] { from.wait(); });
  return detail::wait_or_cancel(waited, by);
}

}  // namespace weft
