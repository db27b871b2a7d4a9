// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/detail/job.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/wait_queue.hpp"
#include "weft/future.hpp"
#include "weft/map_results.hpp"
#include "weft/no_limit.hpp"

namespace weft {

/// Thrown to who gives a task to an executor that takes no more.
class executor_closed : public std::runtime_error {
 public:
  executor_closed();
  ~executor_closed() override;
};

/// Something that runs tasks: on fibers (`fiber_executor`), on real threads (`thread_pool`). As Python's
/// concurrent.futures.Executor.
///
/// Use it where the place that runs a task is chosen elsewhere; in code that knows, `spawn`, `pool` and `offload` say it
/// more directly. `process_pool` has the same calls, for functions that another process can find.
///
///     weft::thread_pool workers({.limit = 4});
///     weft::future<int> sum = workers.submit(add_up, numbers);
///     for (image& small : workers.map(shrink, photos, 16)) show(small);  // in order, at most 16 ahead of the loop
///
/// Blocking  `submit` never waits for room; `apply`, `join` and what `map` returns wait for results.
/// Order     Tasks start in the order they were given.
/// Timeout   `join` and `shutdown` say false; the tasks run on.
/// Cancel    What waits here is a cancellation point. A cancelled `apply` cancels its task if that has not begun; else the
///           task runs on, and what it holds lives until it ends. A cancellation of a task's own fiber ends that task alone.
/// Threads   Safe from any fiber of any thread.
/// Lifetime  Destruction closes, and waits for all tasks, uncancelled. One that is destroyed by a task of its own waits for
///           the others: so `exit` may be called in a task, and destroys an executor of static storage. Destroying it while
///           somebody is in `join` aborts.
/// Cost      A task is one allocation, future included.
class executor {
 public:
  executor(const executor&) = delete;
  executor& operator=(const executor&) = delete;

  /// Has @p function called with @p args, all moved or copied in as std::thread does. What it holds goes before the
  /// future is ready.
  /// @throws executor_closed; std::bad_alloc; std::system_error  no thread can be made and there is none
  template <class F, class... Args>
  auto submit(F&& function, Args&&... args) -> future<std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>> {
    using result = std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>;
    using call = detail::call_job<result, std::decay_t<F>, std::decay_t<Args>...>;
    auto* const task = new call(std::forward<F>(function), std::forward<Args>(args)...);
    future<result> asked{detail::state_ptr<detail::future_value<result>>(task)};
    task->retain();  // the executor's reference
    execute(*task);
    return asked;
  }

  /// Submits, waits and gives the result. Called by a task of this same executor it just calls @p function: tasks that
  /// ask each other cannot lock up an executor whose limit they use up. With a deadline: `submit`, and `future::wait`.
  template <class F, class... Args>
  auto apply(F&& function, Args&&... args) -> std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...> {
    if (runs_caller()) return std::invoke(std::forward<F>(function), std::forward<Args>(args)...);
    auto result = submit(std::forward<F>(function), std::forward<Args>(args)...);
    detail::wait_or_cancel(result, deadline::never());
    return result.get();
  }

  /// Calls @p function with each element of @p range. The results come in the elements' order: see map_results.hpp.
  /// @param max_unread  how many elements may be begun and not read; 0: the whole range is submitted at once
  template <class F, class Range>
  auto map(F function, Range&& range, std::size_t max_unread = 0) {
    return ordered_results(detail::submit_to<executor, F>{this, std::move(function)}, std::forward<Range>(range),
                           max_unread);
  }
  /// The same with the results in the order they become ready.
  template <class F, class Range>
  auto map_unordered(F function, Range&& range, std::size_t max_unread = 0) {
    return unordered_results(detail::submit_to<executor, F>{this, std::move(function)}, std::forward<Range>(range),
                             max_unread);
  }

  /// Takes no more tasks. Those it has it runs. May be called twice.
  void close() noexcept;
  /// Waits until no task is left. @return false if @p by passed first
  bool join(deadline by = deadline::never());
  /// `close`, then `join`.
  bool shutdown(deadline by = deadline::never()) {
    close();
    return join(by);
  }
  /// Cancels the tasks that have not begun: their futures then hold `task_cancelled`. @return how many
  std::size_t cancel_pending() noexcept;

  /// How many tasks may run at once; `no_limit`: all.
  std::size_t limit() const noexcept;
  /// A raised limit lets waiting tasks start; under a lowered one those that run go on. With 0 none starts.
  /// @throws std::system_error  no thread can be made and there is none: the task that was to start is cancelled
  void limit(std::size_t most);
  /// Tasks that have not ended.
  std::size_t unfinished() const noexcept;
  /// Fibers or threads that run tasks or wait for some.
  std::size_t workers() const noexcept;

 protected:
  explicit executor(std::size_t limit) noexcept : limit_(limit) {}
  virtual ~executor();

  /// Makes a worker that calls `work(&first)`. @throws if it cannot
  virtual void start_worker(detail::job& first) = 0;
  /// What tells the caller, if it is a worker, from others.
  virtual std::uint64_t caller() const noexcept = 0;
  /// The life of a worker: runs @p first and what comes then, and waits @p idle_ns for more. Behind it the executor may be
  /// gone.
  void work(detail::job& first, std::int64_t idle_ns) noexcept;
  /// Closes, waits for the tasks and for the workers' ends: first of all in the destructor of each derived class.
  void finish() noexcept;
  /// In a fork's child: its workers are gone, and with them the tasks.
  void forget_workers() noexcept;

 private:
  struct worker {
    std::uint64_t id = 0;
    worker* next_active = nullptr;
    waker who{};
    detail::job* given = nullptr;  // while idle: what it is woken for
    worker* next_idle = nullptr;
    bool left = false;  // its task has destroyed the executor; said and seen by the worker itself
  };

  /// Takes over a reference to @p j, also when it throws.
  void execute(detail::job& j);
  detail::job* next_job(worker& self, std::int64_t idle_ns) noexcept;
  detail::job* wait_idle(std::unique_lock<detail::spinlock>& guard, worker& self, waker who,
                         std::int64_t idle_ns) noexcept;
  static void take_out(worker*& list, worker* worker::*next, worker& which) noexcept;
  bool start_or_queue(detail::job& j);
  void start_pending(std::unique_lock<detail::spinlock>& guard);
  void let_go_of_caller() noexcept;
  void wake_joiners() noexcept;
  bool runs_caller() const noexcept;
  worker* find_worker(std::uint64_t id) const noexcept;
  bool wait_for(bool (executor::*done)() const noexcept, deadline by, bool shielded);
  bool no_tasks() const noexcept { return unfinished_ == 0; }
  bool no_workers() const noexcept { return workers_ == 0; }
  bool below_limit() const noexcept { return workers_ < limit_; }
  bool has_surplus() const noexcept { return workers_ > limit_; }
  detail::job* take_pending() noexcept { return has_surplus() ? nullptr : pending_.pop(); }
  void release_idle() noexcept;

  mutable detail::spinlock lock_;
  std::size_t limit_;
  std::size_t workers_ = 0;
  std::size_t unfinished_ = 0;
  bool closed_ = false;
  worker* active_ = nullptr;
  worker* idle_ = nullptr;  // the one that became idle last is the first to get work: the others can then expire
  detail::job_list pending_;
  detail::wait_queue joiners_;
};

}  // namespace weft
