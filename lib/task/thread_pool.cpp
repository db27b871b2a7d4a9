// SPDX-License-Identifier: MIT
#include "weft/thread_pool.hpp"

#include <algorithm>
#include <mutex>
#include <new>
#include <system_error>

#include "base/cpus.hpp"
#include "core/clock.hpp"
#include "core/fork.hpp"
#include "task/real_thread.hpp"
#include "weft/offload.hpp"
#include "weft/std_future.hpp"

namespace weft {

namespace tasks {

// All pools, for the child of a fork.
struct live_pools {
  static constinit inline detail::spinlock lock;
  static constinit inline thread_pool* first = nullptr;

  static void add(thread_pool& p) noexcept {
    const std::lock_guard guard(lock);
    p.next_ = first;
    first = &p;
  }
  static void remove(thread_pool& p) noexcept {
    const std::lock_guard guard(lock);
    for (thread_pool** at = &first; *at != nullptr; at = &(*at)->next_) {
      if (*at == &p) {
        *at = p.next_;
        return;
      }
    }
  }
  static bool are_at_work() noexcept {
    const std::lock_guard guard(lock);
    for (const thread_pool* p = first; p != nullptr; p = p->next_) {
      if (p->unfinished() != 0) return true;
    }
    return false;
  }
  // Each step under the lock leaves a list that can be walked.
  static void in_child() noexcept {
    new (&lock) detail::spinlock;
    for (thread_pool* p = first; p != nullptr; p = p->next_) p->forget_workers();
  }
};

}  // namespace tasks

namespace {

std::size_t processors() noexcept { return base::usable_cpus(); }

}  // namespace

thread_pool::thread_pool(const thread_pool_options& options)
    : executor(options.limit != 0 ? options.limit : processors()), options_(options) {
  static constinit core::fork_hook hook{tasks::live_pools::in_child};
  core::on_fork(hook);
  tasks::live_pools::add(*this);
  core::others_are_at_work.store(tasks::live_pools::are_at_work, std::memory_order_release);
}

thread_pool::~thread_pool() {
  finish();
  tasks::live_pools::remove(*this);
}

void* thread_pool::thread_main(void* argument) noexcept {
  auto& first = *static_cast<detail::job*>(argument);
  auto& pool = *static_cast<thread_pool*>(static_cast<executor*>(first.owner));
  pthread_setname_np(pthread_self(), pool.options_.name);  // a longer name than the kernel takes leaves the old one
  pool.work(first, pool.options_.idle_time.count());
  return nullptr;
}

void thread_pool::start_worker(detail::job& first) {
  const int error = task_layer::start_thread(thread_main, &first, options_.stack_size);
  if (error != 0) throw std::system_error(error, std::generic_category(), "weft: no thread for a thread_pool");
}

std::uint64_t thread_pool::caller() const noexcept { return pthread_self(); }

thread_pool& default_thread_pool() {
  // Never destroyed: its threads may be in a task while the program ends.
  static auto* const pool =
      new thread_pool({.limit = std::max<std::size_t>(32, 8 * processors()), .name = "weft-offload"});
  return *pool;
}

thread_pool& detail::waiting_threads() {
  static auto* const pool = new thread_pool({.limit = no_limit, .name = "weft-wait"});
  return *pool;
}

}  // namespace weft
