// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "base/list.hpp"
#include "context/sanitizer.hpp"
#include "context/stack.hpp"

namespace weft::core {

class hub;
struct fiber;

/// What a hub is asked to do by another thread: put into its inbox, run on its own OS thread. The sender keeps the
/// storage alive until it has run.
struct message {
  message* next = nullptr;
  void (*run)(message&, hub&) noexcept = nullptr;
};

struct fiber_message : message {
  fiber* owner = nullptr;
};

enum class fiber_state : std::uint8_t {
  unstarted,  // a closure without a stack
  ready,      // in its hub's run queue
  running,
  parked,
  done,
};

/// Why a fiber waits: for dumps, and to tell a deadlock (nothing outside could end it) from a quiet server.
enum class wait_kind : std::uint8_t {
  none,
  object,   // another fiber must act: futex, join, lock
  fd,       // the kernel may report readiness
  sleep,    // only the deadline, or a signal
  helper,   // a helper thread sits in a system call for it
  outside,  // another process or the kernel may end it: signals, shared futexes, children
};

/// Why a park ended. Others than these are the waker's own.
enum wake_reason : int {
  woken = 0,
  timed_out = 1,    // the deadline passed
  interrupted = 2,  // `interrupt` was called: a signal for the fiber
};

/// The control block of a fiber. Type-stable memory: a stale pointer still points to some fiber's block, whose epoch
/// then differs. Everything but the atomics is touched only on the OS thread of its home hub.
struct fiber : base::list_link {  // linked into its hub's list of all fibers
  // -- what a switch touches
  void* sp = nullptr;       // the saved Boost context while it does not run
  fiber* next = nullptr;    // the run queue's link
  hub* home = nullptr;      // runs it, for life
  std::uintptr_t tp = 0;    // its thread pointer; light fibers have their hub's
  std::uint64_t epoch = 0;  // counts parks; 56 bits fit beside a reason, enough never to wrap
  fiber_state state = fiber_state::unstarted;
  bool light = true;               // shares its hub's thread-local storage
  bool interruptible = false;      // the present park ends by `interrupt`
  bool interrupt_pending = false;  // noted while it could not end one
  std::uint8_t reason = 0;         // why the last park ended
  wait_kind wait = wait_kind::none;
  bool show_stack = false;            // it runs for a moment only to print where it is parked
  volatile std::uint16_t hooked = 0;  // > 0: inside Weft; not to be preempted
  std::int64_t due = 0;               // this park's deadline
  std::int64_t armed = 0;             // the point its entry in the timer heap stands at
  std::uint32_t heap_slot = 0;        // its place in that heap, + 1; 0: none
  // -- cold
  std::atomic<std::uint64_t> remote_wake{0};  // epoch << 8 | reason, from other threads
  std::atomic<bool> in_inbox{false};
  std::atomic<bool> interrupt_posted{false};
  std::atomic<std::uint32_t> references{0};
  std::atomic<bool> ended{false};  // `state == done`, for other threads
  fiber_message wake_message;
  fiber_message interrupt_message;
  fiber_message launch_message;
  fiber_message drop_message;  // gives the block back to its hub
  context::stack stack;
  context::sanitizer_state sanitizer;
  void (*run)(fiber&) noexcept = nullptr;        // its body, on its own stack
  void (*end)(fiber&, hub&) noexcept = nullptr;  // called by its hub, off its stack, when it is done
  struct join_waiter* joiners = nullptr;         // who waits for its end
  const void* wait_object = nullptr;
  std::uint64_t id = 0;
  char name[16] = {};  // as the kernel keeps it for a thread: 15 bytes and a zero
  std::size_t spacing = context::default_stack_spacing;

  /// Makes a block whose fiber has ended ready for the next one. What other threads may still touch through stale
  /// wakers (the messages, their flags, the epoch's count) goes on unchanged: so a block never leaves its hub.
  void renew() noexcept {
    state = fiber_state::unstarted;
    interruptible = interrupt_pending = false;
    wait = wait_kind::none;
    hooked = 0;
    due = armed = 0;
    heap_slot = 0;
    ended.store(false, std::memory_order_relaxed);
    joiners = nullptr;
    wait_object = nullptr;
    name[0] = 0;
    spacing = context::default_stack_spacing;
    ++epoch;
  }
};

/// Names one park of one fiber. Waking it twice, or after the fiber has gone on, does nothing.
struct waker {
  fiber* target;
  std::uint64_t epoch;
};

}  // namespace weft::core
