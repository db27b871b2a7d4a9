// SPDX-License-Identifier: MIT
// The work of bench/sync_bench.cpp with the locks of State Threads.
#include <benchmark/benchmark.h>
#include <st.h>

#include <functional>
#include <utility>

#include "bench/sync_work.hpp"

namespace {

class mutex {
 public:
  mutex() : handle_(st_mutex_new()) {}
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;
  ~mutex() { st_mutex_destroy(handle_); }
  void lock() { st_mutex_lock(handle_); }
  void unlock() { st_mutex_unlock(handle_); }

 private:
  st_mutex_t handle_;
};

class condition_variable {
 public:
  condition_variable() : handle_(st_cond_new()) {}
  condition_variable(const condition_variable&) = delete;
  condition_variable& operator=(const condition_variable&) = delete;
  ~condition_variable() { st_cond_destroy(handle_); }
  template <class Lock, class Predicate>
  void wait(Lock& lock, Predicate holds) {
    while (!holds()) {
      lock.unlock();  // nobody runs before st_cond_wait switches
      st_cond_wait(handle_);
      lock.lock();
    }
  }
  void notify_one() { st_cond_signal(handle_); }

 private:
  st_cond_t handle_;
};

class fiber {
 public:
  explicit fiber(std::function<void()> function)
      : thread_(st_thread_create(run, new std::function<void()>(std::move(function)), 1, 64 * 1024)) {}
  void join() { st_thread_join(thread_, nullptr); }

 private:
  static void* run(void* argument) {
    auto* const function = static_cast<std::function<void()>*>(argument);
    (*function)();
    delete function;
    return nullptr;
  }
  st_thread_t thread_;
};

struct state_threads {
  using mutex = ::mutex;
  using condition_variable = ::condition_variable;
  using fiber = ::fiber;
  template <class F>
  static fiber spawn(F&& function) {
    return fiber(std::forward<F>(function));
  }
  static void yield() { st_usleep(0); }
};

}  // namespace

int main(int argc, char** argv) {
  st_set_eventsys(ST_EVENTSYS_ALT);
  if (st_init() != 0) return 1;
  benchmark::Initialize(&argc, argv);
  bench::register_sync_work<state_threads>();
  benchmark::RunSpecifiedBenchmarks();
}
