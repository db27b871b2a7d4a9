// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/core/eventually.hpp"
#include "weft/cancelled.hpp"
#include "weft/detail/cancel_record.hpp"
#include "weft/fiber.hpp"

namespace weft::test {

using namespace std::chrono_literals;

/// The standard's named requirements, as far as a compiler can see them.
template <class L>
concept basic_lockable = requires(L l) {
  l.lock();
  { l.unlock() } -> std::same_as<void>;
};
template <class L>
concept lockable = basic_lockable<L> && requires(L l) {
  { l.try_lock() } -> std::same_as<bool>;
};
template <class L>
concept timed_lockable = lockable<L> && requires(L l) {
  { l.try_lock_for(1ms) } -> std::same_as<bool>;
  { l.try_lock_until(std::chrono::steady_clock::now()) } -> std::same_as<bool>;
  { l.try_lock_until(std::chrono::system_clock::now()) } -> std::same_as<bool>;
};
template <class L>
concept shared_lockable = requires(L l) {
  l.lock_shared();
  { l.try_lock_shared() } -> std::same_as<bool>;
  { l.unlock_shared() } -> std::same_as<void>;
};
template <class L>
concept shared_timed_lockable = shared_lockable<L> && requires(L l) {
  { l.try_lock_shared_for(1ms) } -> std::same_as<bool>;
  { l.try_lock_shared_until(std::chrono::steady_clock::now()) } -> std::same_as<bool>;
};

/// A fiber that can be cancelled at its next suspension point.
class victim {
 public:
  template <class F>
  explicit victim(F function) : record_(raise) {
    fiber_ = spawn([this, function = std::move(function)]() mutable {
      record_.enter();
      try {
        function();
        finished_ = true;
      } catch (const weft::cancelled&) {
        cancelled_ = true;
      }
      record_.leave();
    });
  }
  victim(const victim&) = delete;
  victim& operator=(const victim&) = delete;
  ~victim() { fiber_.join(); }

  /// From anywhere, once it runs.
  void cancel() noexcept { record_.request(); }
  bool join(deadline by = deadline::never()) { return fiber_.join(by); }
  bool ready() const noexcept { return fiber_.ready(); }
  /// How it ended.
  bool was_cancelled() const noexcept { return cancelled_; }
  bool finished() const noexcept { return finished_; }

 private:
  [[noreturn]] static void raise(detail::cancel_record&) { throw weft::cancelled(); }

  detail::cancel_record record_;
  bool finished_ = false;
  bool cancelled_ = false;
  fiber fiber_;
};

/// Lets the other fibers of this hub run until each of them waits.
inline void let_others_run() {
  for (int i = 0; i < 20; ++i) this_fiber::yield();
}

struct crowd {
  int hubs = 3;            // the caller's among them
  int fibers_per_hub = 3;  // and on each
  int threads = 2;         // without a hub
  int size() const noexcept { return hubs * fibers_per_hub + threads; }
};

/// Calls @p body(number) on every member of @p c at once, and returns when all have ended.
inline void run_crowd(const crowd& c, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  int number = 0;
  const auto run_hub = [&body, &c](int first) {
    std::vector<fiber> fibers;
    for (int i = 0; i < c.fibers_per_hub; ++i) fibers.push_back(spawn(std::cref(body), first + i));
    for (const fiber& f : fibers) f.join();
  };
  for (int i = 1; i < c.hubs; ++i, number += c.fibers_per_hub) threads.emplace_back(run_hub, number);
  for (int i = 0; i < c.threads; ++i) threads.emplace_back(body, number++);
  run_hub(number);
  for (std::thread& t : threads) t.join();
}

/// Unlocks a mutex again and again that another thread waits for and destroys as soon as it has had it.
/// @param lock_of_turn  locks it, and gives what unlocks it
template <class Mutex, class Lock>
void unlock_while_another_destroys(Lock lock_of_turn) {
  for (int i = 0; i < 300; ++i) {
    auto m = std::make_unique<Mutex>();
    const auto unlock = lock_of_turn(*m, i);
    std::atomic<bool> goes{false};
    std::thread next([&] {
      goes = true;
      m->lock();
      m->unlock();
      m.reset();
    });
    while (!goes) std::this_thread::yield();
    unlock();  // may return behind the destruction
    next.join();
  }
}

/// What a call reports as std::system_error.
template <class F>
std::error_condition failure_of(F call) {
  try {
    call();
  } catch (const std::system_error& e) {
    return e.code().default_error_condition();
  }
  return {};
}

}  // namespace weft::test
