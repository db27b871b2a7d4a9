// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "weft/codec.hpp"
#include "weft/deadline.hpp"
#include "weft/detail/remote_function.hpp"
#include "weft/future.hpp"
#include "weft/map_results.hpp"
#include "weft/thread_pool.hpp"

namespace weft {

/// Stands first in the main of a program that has a process_pool: its worker processes are this program started again,
/// and here they become workers. Returns at once in the program itself; in a worker it never returns.
void run_if_worker(int argc, char** argv);

/// What a task threw in its worker.
class remote_error : public std::runtime_error {
 public:
  remote_error(std::string type, const std::string& what);
  ~remote_error() override;
  /// The type of what was thrown, as its compiler writes it: "std::out_of_range".
  const std::string& type() const noexcept { return type_; }

 private:
  std::string type_;
};

/// A worker process ended, or had to be ended, while it had a task. Whether the task did anything cannot be known.
class worker_died : public std::runtime_error {
 public:
  worker_died(pid_t pid, int status, const std::string& why);
  ~worker_died() override;
  pid_t pid() const noexcept { return pid_; }
  /// As wait(2) tells it; -1 if the program itself has waited for that process.
  int status() const noexcept { return status_; }

 private:
  pid_t pid_;
  int status_;
};

/// How a process_pool is made.
struct process_pool_options {
  /// Worker processes at most; 0: as many as there are processors.
  std::size_t limit = 0;
  /// A worker is replaced after so many tasks; 0: never.
  std::size_t tasks_per_worker = 0;
  /// A task that takes longer has its worker killed, and fails with worker_died; 0: there is no limit.
  std::chrono::nanoseconds task_time{0};
  /// The largest message: a task with its arguments, or a result. A larger one fails with std::length_error.
  std::size_t message_bytes = std::size_t{64} << 20;
};

/// Tasks on worker processes: for code that may crash, leaks, or shares state that threads could not share.
///
/// For code that is well behaved a `thread_pool` is ten times as fast and takes any callable. As Python's
/// concurrent.futures.ProcessPoolExecutor, or multiprocessing.Pool.
///
///     std::size_t count_words(const std::string& text);
///
///     int main(int argc, char** argv) {
///       weft::run_if_worker(argc, argv);
///       weft::process_pool workers;
///       weft::future<std::size_t> words = workers.submit<count_words>(text);
///       for (std::size_t n : workers.map<count_words>(chapters)) total += n;
///
/// A task names its function, as a template argument: a function, or a lambda without captures. Its arguments and result
/// travel as `codec` says, over a socket pair, each message with its length in front. A worker is this program's file
/// executed anew, not a fork: it has none of the program's threads, locks and descriptors (only stdout, stderr and its
/// socket; stdin is /dev/null), and begins with main. So workers may be made at any time, whatever threads there are. A worker
/// ignores SIGINT, which a terminal sends to all, and ends when the program has ended.
///
/// Blocking  `submit` does not wait; `apply`, `join` and what `map` returns do. Only the calling fiber sleeps.
/// Order     Tasks start in the order they were given.
/// Timeout   `join` says false; tasks run on. `task_time` ends a task.
/// Cancel    A task that has not begun is cancelled as any executor's; one that has begun is not told. `terminate` kills.
/// Threads   Safe from any fiber of any thread.
/// Lifetime  Destruction waits for all tasks, and ends the workers. In a fork's child the pool is empty.
/// Errors    What a task throws comes back as remote_error. A worker that dies takes no task with it silently: its
///           task fails with worker_died, the others are run by another that takes its place. One that died while it had no
///           task is replaced without a word. A worker that cannot be made fails its task with std::system_error.
/// Cost      A process for each task that runs at once; a round trip of about 50 µs. See bench/README.md.
class process_pool {
 public:
  /// No process is made until there is a task.
  /// @throws std::logic_error  main did not call run_if_worker: a worker would run the whole program
  explicit process_pool(const process_pool_options& options = {});
  process_pool(const process_pool&) = delete;
  process_pool& operator=(const process_pool&) = delete;
  ~process_pool();

  /// Has F called in a worker.
  /// @throws executor_closed; std::length_error  the arguments exceed `message_bytes`
  template <auto F, class... Args>
  auto submit(const Args&... args) -> future<typename detail::remote<F>::result> {
    using remote = detail::remote<F>;
    return send<typename remote::result>(remote::entry, encode<remote>(args...));
  }
  /// Submits, waits and gives the result. A cancelled `apply` cancels its task if that has not begun. With a deadline: `submit`, and
  /// `future::wait`.
  template <auto F, class... Args>
  auto apply(const Args&... args) -> typename detail::remote<F>::result {
    auto result = submit<F>(args...);
    detail::wait_or_cancel(result, deadline::never());
    return result.get();
  }
  /// The results of F for each element of @p range, in their order: see executor::map.
  template <auto F, class Range>
  auto map(Range&& range, std::size_t max_unread = 0) {
    return ordered_results(submitter<F>{this}, std::forward<Range>(range), max_unread);
  }
  template <auto F, class Range>
  auto map_unordered(Range&& range, std::size_t max_unread = 0) {
    return unordered_results(submitter<F>{this}, std::forward<Range>(range), max_unread);
  }

  void close() noexcept { tasks_->close(); }
  bool join(deadline by = deadline::never()) { return tasks_->join(by); }
  bool shutdown(deadline by = deadline::never()) { return tasks_->shutdown(by); }
  std::size_t cancel_pending() noexcept { return tasks_->cancel_pending(); }
  std::size_t unfinished() const noexcept { return tasks_->unfinished(); }
  /// Cancels what has not begun and kills all workers: the tasks they have fail with worker_died. The pool can be used on.
  void terminate() noexcept;
  /// The processes there are.
  std::vector<pid_t> workers() const;

 private:
  class processes;

  template <auto F>
  struct submitter {
    process_pool* pool;
    template <class Element>
    auto operator()(const Element& element) const {
      return pool->template submit<F>(element);
    }
  };

  template <class Remote, class... Args>
  std::string encode(const Args&... args) const {
    encoder to;
    to.put<typename Remote::arguments>(typename Remote::arguments(args...));
    check_size(to.bytes().size());
    return std::move(to).take();
  }
  template <class Result>
  future<Result> send(const detail::remote_function& function, std::string arguments) {
    return tasks_->submit([this, &function, arguments = std::move(arguments)]() -> Result {
      const std::string answer = call(function, arguments);
      if constexpr (!std::is_void_v<Result>) {
        decoder from(answer);
        return from.get<Result>();
      }
    });
  }
  void check_size(std::size_t bytes) const;
  /// On a thread of `tasks_`: has a worker call @p function, and waits for the result.
  std::string call(const detail::remote_function& function, const std::string& arguments);

  const process_pool_options options_;
  std::unique_ptr<processes> processes_;
  std::unique_ptr<thread_pool> tasks_;  // a thread for each worker that is busy
};

}  // namespace weft
