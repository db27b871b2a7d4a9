// SPDX-License-Identifier: MIT
#include "weft/fork.hpp"

#include <pthread.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <system_error>
#include <utility>

#include "base/spinlock.hpp"
#include "core/fork.hpp"

namespace weft {

namespace {

// Only ever longer, so that it is walked without a lock.
struct entry {
  std::function<void()> prepare, parent, child;
  entry* before = nullptr;
  std::atomic<entry*> behind{nullptr};
};

constinit base::spinlock lock;
constinit std::atomic<entry*> first{nullptr};
constinit std::atomic<entry*> last{nullptr};

void prepare_all() noexcept {
  for (entry* e = last.load(std::memory_order_acquire); e != nullptr; e = e->before) {
    if (e->prepare) e->prepare();
  }
}

void call_all(std::function<void()> entry::*which) noexcept {
  for (entry* e = first.load(std::memory_order_acquire); e != nullptr; e = e->behind.load(std::memory_order_acquire)) {
    if (e->*which) (e->*which)();
  }
}

void expect_calls() {
  static const int error = [] {
    core::expect_forks();  // first, so that the child's functions find its fresh hub
    return pthread_atfork(
        prepare_all, [] { call_all(&entry::parent); }, [] { call_all(&entry::child); });
  }();
  if (error != 0) throw std::system_error(error, std::generic_category(), "weft::at_fork");
}

}  // namespace

void at_fork(std::function<void()> prepare, std::function<void()> parent, std::function<void()> child) {
  expect_calls();
  auto made = std::make_unique<entry>();
  made->prepare = std::move(prepare);
  made->parent = std::move(parent);
  made->child = std::move(child);
  entry* const e = made.release();
  const std::lock_guard guard(lock);
  e->before = last.load(std::memory_order_relaxed);
  (e->before == nullptr ? first : e->before->behind).store(e, std::memory_order_release);
  last.store(e, std::memory_order_release);
}

}  // namespace weft
