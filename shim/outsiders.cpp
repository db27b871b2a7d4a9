// SPDX-License-Identifier: MIT
#include "shim/outsiders.hpp"

#include "base/syscall.hpp"
#include "core/runtime.hpp"
#include "shim/threads.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

constexpr unsigned max_watched = 16;

enum class place : int { free, taken, watched };

struct watched_outsider {
  std::atomic<place> state{place::free};
  int word = 0;  // the kernel's to clear, from the clone on
};
constinit watched_outsider watched[max_watched];

watched_outsider* take_place() noexcept {
  for (watched_outsider& w : watched) {
    place expected = place::free;
    if (w.state.compare_exchange_strong(expected, place::taken, std::memory_order_acquire)) return &w;
  }
  return nullptr;
}

void discount(watched_outsider& w) noexcept {
  place expected = place::watched;
  if (w.state.compare_exchange_strong(expected, place::free, std::memory_order_release)) {
    outsiders.fetch_sub(1, std::memory_order_relaxed);
  }
}

bool makes_outsider(std::uint64_t flags) noexcept {
  return (flags & (CLONE_VM | CLONE_VFORK | CLONE_SETTLS)) == CLONE_VM;
}

}  // namespace

constinit std::atomic<unsigned> outsiders{0};

expected_outsider::expected_outsider(const frame& f, const clone_request& request, unsigned long (&args)[6]) noexcept {
  if (!makes_outsider(request.flags)) return;
  counted_ = true;
  outsiders.fetch_add(1, std::memory_order_relaxed);
  if ((request.flags & (CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID)) != 0) return;
  if (f.rax == SYS_clone3) {
    if (f.rsi > sizeof changed_ || !weft_user_copy(&changed_, reinterpret_cast<const void*>(f.rdi), f.rsi)) return;
  }
  watched_outsider* const w = take_place();
  if (w == nullptr) return;
  w->word = 1;
  word_ = &w->word;
  if (f.rax == SYS_clone3) {
    changed_.flags |= CLONE_CHILD_CLEARTID;
    changed_.child_tid = reinterpret_cast<std::uint64_t>(word_);
    args[0] = reinterpret_cast<unsigned long>(&changed_);
  } else {
    args[0] |= CLONE_CHILD_CLEARTID;
    args[3] = reinterpret_cast<unsigned long>(word_);
  }
  w->state.store(place::watched, std::memory_order_release);
}

void expected_outsider::is_none() noexcept {
  if (word_ != nullptr) {
    __atomic_store_n(word_, 0, __ATOMIC_RELEASE);
  } else if (counted_) {
    outsiders.fetch_sub(1, std::memory_order_relaxed);
  }
}

bool is_outsider() noexcept {
  for (watched_outsider& w : watched) {
    const bool is_watched = w.state.load(std::memory_order_acquire) == place::watched;
    if (is_watched && __atomic_load_n(&w.word, __ATOMIC_ACQUIRE) == 0) discount(w);
  }
  const core::hub* const h = weft_this_hub;
  return h != nullptr && base::raw_syscall(SYS_gettid) != h->kernel_tid.load(std::memory_order_relaxed);
}

void forget_outsiders() noexcept {
  outsiders.store(0, std::memory_order_relaxed);
  for (watched_outsider& w : watched) w.state.store(place::free, std::memory_order_relaxed);
}

}  // namespace weft::shim
