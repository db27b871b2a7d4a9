// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "base/list.hpp"
#include "context/sanitizer.hpp"
#include "context/stack.hpp"
#include "weft/detail/cancel_record.hpp"
#include "weft/park.hpp"

namespace weft::core {

class hub;
struct fiber;
struct thread_request;

using weft::cancelled_wait;
using weft::interrupted;
using weft::timed_out;
using weft::unpark;
using weft::wake_reason;
using weft::waker;
using weft::woken;

/// Throws the exception of a kill.
void raise_kill(detail::cancel_record& record);

/// What a hub is asked to do by another thread: put into its inbox, run on its own OS thread. The sender keeps the
/// storage alive until it has run.
struct message {
  message* next = nullptr;
  void (*run)(message&, hub&) noexcept = nullptr;
};

struct fiber_message : message {
  fiber* owner = nullptr;
};

/// What a fiber knows of its cancel records without looking at them.
enum cancel_bit : std::uint8_t {
  cancel_linked = 1,  // there are some
  cancel_noted = 2,   // one of them, or the kill, has become due
};

/// What other threads ask a fiber's hub to do for it, in one message. Several may be asked before it has run.
enum mail_bit : std::uint8_t {
  mail_launch = 1,     // put it into the run queue: it is new
  mail_wake = 2,       // end the park that `remote_wake` names
  mail_interrupt = 4,  // end its park if it is interruptible
  mail_cancel = 8,     // look at its records
};

enum class fiber_state : std::uint8_t {
  delayed,    // a closure that is to start at `due`
  unstarted,  // a closure without a stack
  ready,      // in its hub's run queue
  running,
  parked,
  done,
  lost,  // its thread has ended: it never runs again, and wakes do nothing
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

/// The control block of a fiber. Type-stable memory: a stale pointer still points to some fiber's block, whose epoch
/// then differs. An OS thread without a hub has one too, whose `home` is null (core/thread_park.hpp). Everything but the
/// atomics is touched only on the OS thread of its home hub.
struct fiber : base::list_link {  // linked into its hub's list of all fibers
  /// @param kill_thrower  throws the exception of a kill
  explicit fiber(detail::cancel_record::thrower kill_thrower = raise_kill) noexcept : kill(kill_thrower, *this) {}

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
  bool cancellable = false;        // the present park ends by a record of `records` that is due
  std::uint8_t cancels = 0;        // cancel_bit
  std::uint8_t reason = 0;         // why the last park ended
  wait_kind wait = wait_kind::none;
  bool serves_hub : 1 = false;               // its watchers' calls: goes with the hub alone
  bool yielded : 1 = false;                  // ready by its own will, as far as random schedules know
  bool show_stack : 1 = false;               // it runs for a moment only to print where it is parked
  volatile std::uint16_t hooked = 0;         // > 0: inside Weft; not to be preempted
  std::uint32_t heap_slot = 0;               // its place in the timer heap, + 1; 0: none
  std::int64_t due = 0;                      // this park's deadline
  std::int64_t armed = 0;                    // the point its entry in the timer heap stands at
  detail::cancel_record* records = nullptr;  // what may cancel it, innermost first, but for the kill
  const void* wait_object = nullptr;         // for the dump; of wait_kind::fd the number, an int, or null
  context::stack stack;
  [[no_unique_address]] context::sanitizer_state sanitizer;
  // -- cold
  fiber* task = nullptr;  // a thread fiber that runs what was spawned: the block of the spawn
  // What other threads write stands in one line of the cache: each line costs them, and then its hub, a journey of 50 ns.
  std::atomic<std::uint64_t> remote_wake{0};  // epoch << 8 | reason, from other threads
  std::atomic<std::uint8_t> mail{0};          // mail_bit: what `mail_message`, which is then on its way, asks for
  std::atomic<bool> ended{false};             // `state == done`, for other threads
  bool cooperative = false;                   // not preempted: its code counts on that
  bool native_calls = false;                  // what it calls blocks its hub
  std::uint32_t spacing = context::default_stack_spacing;
  fiber_message mail_message;
  detail::cancel_record kill;
  detail::cancel_record* kill_record = &kill;    // its task's, if it has one
  const thread_request* asks = nullptr;          // of the pthread_create that it is about to call
  void (*run)(fiber&) noexcept = nullptr;        // its body, on its own stack
  void (*end)(fiber&, hub&) noexcept = nullptr;  // called by its hub, off its stack, when it is done
  std::uint64_t id = 0;
  char name[16] = {};  // as the kernel keeps it for a thread: 15 bytes and a zero

  // A block whose fiber has ended becomes another's in two steps. What other threads may still touch through stale wakers (the
  // message, what it asks for, the epoch's count) goes on unchanged: so a block never leaves its hub.

  /// The first, on its hub at the end of the fiber: what a message that comes late looks at. The next fiber may be made by
  /// another thread, while such a message runs.
  void retire() noexcept {
    state = fiber_state::unstarted;
    interruptible = interrupt_pending = cancellable = serves_hub = cooperative = native_calls = false;
    kill_record = &kill;
    task = nullptr;
    asks = nullptr;
    cancels = 0;
    wait = wait_kind::none;
    hooked = 0;
    due = armed = 0;
    heap_slot = 0;
    records = nullptr;
    wait_object = nullptr;
    ++epoch;
  }
  /// The second, by who takes it for the next fiber.
  void renew() noexcept {
    ended.store(false, std::memory_order_relaxed);
    kill.withdraw();
    name[0] = 0;
    spacing = context::default_stack_spacing;
  }
};

/// Fetch into the cache what a switch to @p f needs: its block, and once that is there (the turn before), the top of its stack
/// and its thread pointer's surroundings. A fiber that has waited among thousands has none of it there, and each miss costs
/// as much as the switch itself. On its hub.
///
/// Inlined by force: GCC 12 takes a function that only prefetches for one without effect, and drops the calls of it.
__attribute__((always_inline)) inline void fetch_block(const fiber& f) noexcept {
  const char* const at = reinterpret_cast<const char*>(&f);
  __builtin_prefetch(at);
  __builtin_prefetch(at + 64);
}
__attribute__((always_inline)) inline void fetch_stack(const fiber& f) noexcept {
  constexpr int lines = 12;  // from the saved registers to the frames of the program: about 800 bytes
  const char* const at = static_cast<const char*>(f.sp);
  for (int i = 0; i < lines; ++i) __builtin_prefetch(at + 64 * i);
  if (f.light) return;
  const char* const thread = reinterpret_cast<const char*>(f.tp);
  __builtin_prefetch(thread - 64);
  __builtin_prefetch(thread);
  __builtin_prefetch(thread + 0x300);
}

}  // namespace weft::core
