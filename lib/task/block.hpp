// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>

#include "base/spinlock.hpp"
#include "core/hub.hpp"
#include "task/storage.hpp"
#include "weft/detail/subscription.hpp"
#include "weft/fiber_attributes.hpp"

namespace weft::task_layer {

enum class outcome : std::uint8_t { value, cancelled, failed };

/// The control block of a fiber that was spawned: with its body (a small one lives in it, so that a spawn allocates once) and
/// what its handles want to know.
///
/// `shares` says who still needs it: the handles and the run itself, which count one each; the scheduler, until the fiber
/// has left its stack; and the handles and the run together, until the last of them has settled the body. So the
/// scheduler never destroys a result: that is code of the user.
struct task_block : core::fiber {
  static constexpr std::uint64_t handle = 1;
  static constexpr std::uint64_t scheduler = std::uint64_t{1} << 32;
  static constexpr std::uint64_t body_kept = std::uint64_t{1} << 33;

  task_block() noexcept;
  /// Makes a block that was used ready for the next fiber.
  void renew_all() noexcept;

  std::atomic<std::uint64_t> shares{0};
  void (*call)(void*) noexcept = nullptr;
  void* body = nullptr;
  std::size_t heap_align = 0;  // != 0: the body is a heap block
  void (*settle)(void*) noexcept = nullptr;
  void (*on_kill)(void*) noexcept = nullptr;
  base::spinlock lock;  // of what follows
  bool kill_asked = false;
  outcome how = outcome::value;
  bool run_left = false;  // the run gave its share back before the scheduler did
  std::atomic<bool> retrieved{false};
  detail::subscription_list waiters;
  fiber_storage storage;
  std::exception_ptr kill_with;
  std::exception_ptr failure;
  alignas(16) std::byte inplace[80];
};

#if !defined(WEFT_ASAN) && !defined(WEFT_TSAN)
// A fiber that sleeps is a page of stack and this: what is added here is paid a million times (bench/spawn.py).
static_assert(sizeof(task_block) <= 448);
#endif

inline task_block& block_of(core::fiber* f) noexcept { return *static_cast<task_block*>(f); }
inline const task_block& block_of(const core::fiber* f) noexcept { return *static_cast<const task_block*>(f); }

/// The block of what was spawned and @p f runs: itself, or that of a thread fiber's; nullptr for a thread's own first fiber, or that of
/// a hub's loop.
task_block* task_of(core::fiber& f) noexcept;

/// Whether the calling fiber runs @p f, which was spawned.
inline bool is_running(const core::fiber* f) noexcept {
  return weft_this_hub != nullptr && task_of(*weft_this_hub->current) == f;
}

/// What is left to do when the body of @p b has ended, on its fiber.
void end_body(task_block& b) noexcept;

/// Has @p b, spawned, run by a thread fiber of its own. @return 0, or an errno: it was not begun then
int launch_thread(task_block& b, const fiber_attributes& attributes) noexcept;

/// A block of hub @p h, from those that were used before or new; nullptr when memory is short. From any thread.
task_block* take_block(core::hub& h) noexcept;
/// Gives it back to its hub. From any thread.
void give_block(task_block& b) noexcept;

/// Takes the exception that a kill came with.
std::exception_ptr take_kill(task_block& b) noexcept;

/// The failure of a fiber that nobody asked about.
void report_failure(const task_block& b) noexcept;

}  // namespace weft::task_layer
