// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "base/spinlock.hpp"
#include "context/exception_state.hpp"
#include "context/stack.hpp"
#include "core/draws.hpp"
#include "core/fiber.hpp"
#include "core/timers.hpp"
#include "loop/loop.hpp"

namespace weft::core {

/// Who wants to be told of a hub's looks at I/O (lib/io's watchers).
struct hub_watch {
  /// Nothing is ready and the hub is about to look; what this readies runs first. @return whether it may not sleep
  bool (*before_poll)(hub& h) noexcept;
  /// It has looked; @p awake is what the former returned.
  void (*after_poll)(hub& h, bool awake) noexcept;
  /// Whether somebody is still to be told of anything: then no other thread may have the hub.
  bool (*in_use)(const hub& h) noexcept;
};

class hub;
inline constexpr unsigned max_hubs = 64;

/// Hubs among which new fibers are spread.
struct hub_set {
  hub* hubs[max_hubs] = {};
  unsigned count = 0;
};

/// A fiber that waits until its hub has nothing else to do; on its stack.
struct idler {
  waker who;
  int priority;
  idler* next = nullptr;
};

/// What a hub has told of itself when it agreed to a jump of a test's time (core/test_clock.cpp).
struct test_vote {
  std::uint64_t round = 0;     // in which it agrees; 0: in none yet
  std::uint64_t switches = 0;  // at its last visit
  std::int64_t next = 0;       // its first deadline
};

/// The scheduler of one OS thread: run queue, event loop, timers, stacks, inbox.
///
/// A fiber that waits switches straight to the next ready one. The hub's own context, the *loop fiber*, is entered only
/// when none is ready or it is time to poll, and switches from an event's callback straight into the fiber that waited.
class hub {
 public:
  /// While fibers keep each other ready, I/O and timers are looked at after so many switches, once so much time has
  /// passed: a look costs as much as a hundred switches.
  static constexpr int poll_interval = 64;
  static constexpr std::int64_t poll_gap_ns = 20'000;

  fiber* current = nullptr;  // who runs; the loop fiber while the hub itself does
  fiber* ready_head = nullptr;
  fiber* ready_tail = nullptr;
  int quantum = poll_interval;
  unsigned index = 0;
  bool runs_threads = false;  // made by the shim, for thread fibers
  std::uint64_t switches = 0;
  std::uint32_t live = 0;     // fibers that are not done
  std::uint32_t unbegun = 0;  // of those in the run queue: who has not begun, and is its closure alone
  idler* idlers = nullptr;    // highest priority first, and first come
  fiber* unused = nullptr;    // control blocks at hand
  unsigned unused_count = 0;

  base::list<fiber> all;  // every fiber of this hub that is not done

  timers deadlines;
  loop::event_loop events;
  context::stack_pool stacks;
  fiber loop_fiber;
  // Of a library program; goes with the hub to the next thread.
  fiber* first_fiber = nullptr;         // the thread's own
  void* fault_stack = nullptr;          // on which it says that a fiber's is used up
  context::exception_place exceptions;  // of the storage that this hub's light fibers share

  // -- touched by other threads
  std::atomic<message*> inbox{nullptr};
  std::atomic<bool> sleeping{false};
  // Placed here and not done, for choosing the least loaded hub: those it has taken in, which it alone counts, and
  // those on their way from other threads.
  std::atomic<std::uint32_t> load{0};
  std::atomic<std::uint32_t> arriving{0};
  std::atomic<std::uint64_t> awaited{0};  // waits that something else than a fiber may end, by kind: `await`
  // Looks at I/O so far, begun before `sleeping` is set: an event belongs to the last one. Written by the hub alone.
  std::atomic<std::uint32_t> polls{0};
  std::atomic<int> kernel_tid{0};  // of the OS thread that runs it; 0: none yet, or none any more

  base::spinlock spare_lock;
  std::atomic<fiber*> spare{nullptr};  // control blocks of this hub for those who spawn here from others

  std::atomic<const hub_set*> placement{nullptr};  // where fibers that this hub's own spawn go; null: here

  waker newcomers{};  // who waits until a fiber has come here; on this hub

  const hub_watch* watch = nullptr;
  /// Something outside can (@p change 1), or no longer (-1), wake somebody here. Sleeps, which only time and signals end, are
  /// counted in the lower half.
  void await(int change) noexcept { await(wait_kind::outside, change); }
  void await(wait_kind kind, int change) noexcept {
    const auto unit = static_cast<std::uint64_t>(change) << (kind == wait_kind::sleep ? 0 : 32);
    awaited.store(awaited.load(std::memory_order_relaxed) + unit, std::memory_order_relaxed);
  }
  /// Whether more than time and signals may wake somebody here.
  bool awaits_events() const noexcept { return awaited.load(std::memory_order_relaxed) >> 32 != 0; }

  bool prepare(unsigned number) noexcept;
  /// The body of the loop fiber. Returns when `stopping` is set and nothing is ready.
  void run_loop() noexcept;

  void push_ready(fiber& f) noexcept {
    f.state = fiber_state::ready;
    f.next = nullptr;
    if (ready_tail == nullptr) {
      ready_head = &f;
    } else {
      ready_tail->next = &f;
    }
    ready_tail = &f;
  }
  fiber* pop_ready() noexcept {
    fiber* f = ready_head;
    if (f != nullptr) {
      ready_head = f->next;
      if (ready_head == nullptr) ready_tail = nullptr;
    }
    return f;
  }

  /// In the run queue, @p f follows @p before. One that has not begun keeps that in `sp`, since it has no context yet; but at
  /// the head, where nobody asks for it. To be called for who gets another predecessor.
  static void link_unbegun(fiber& f, fiber& before) noexcept {
    if (f.state == fiber_state::unstarted) f.sp = &before;
  }
  void push_first(fiber& f) noexcept {
    if (ready_head == nullptr) {
      ready_tail = &f;
    } else {
      link_unbegun(*ready_head, f);
    }
    f.next = ready_head;
    ready_head = &f;
  }
  /// Takes @p f, which follows @p before, to the head.
  void move_first(fiber& f, fiber& before) noexcept {
    before.next = f.next;
    if (f.next == nullptr) {
      ready_tail = &before;
    } else {
      link_unbegun(*f.next, before);
    }
    push_first(f);
  }
  /// Puts a new fiber into the run queue.
  void push_unbegun(fiber& f) noexcept {
    f.sp = ready_tail;
    push_ready(f);
    f.state = fiber_state::unstarted;
    ++unbegun;
  }

  /// So many fibers that have not begun are a crowd: then who is waited for goes before the others, because trees of fibers
  /// would else exist all at once, each with a stack. See docs/decisions/run-order.md.
  static constexpr std::uint32_t crowd = 1024;
  bool crowded() const noexcept { return unbegun > crowd; }
  /// In a crowd: puts @p f, for whose end somebody here is going to wait, at the head of the run queue if it has not begun. Now
  /// and then it does not, so that the others are reached at last.
  void prefer(fiber& f) noexcept;

  void add_load(int change) noexcept {
    load.store(load.load(std::memory_order_relaxed) + static_cast<std::uint32_t>(change), std::memory_order_relaxed);
  }
  /// A number for a new fiber, from a block of numbers taken at once.
  std::uint64_t next_id() noexcept;

  /// Runs @p m on this hub's OS thread, soon. From any thread and from signal handlers; never blocks.
  void post(message& m) noexcept;
  /// Runs what was posted. On the hub's own thread.
  void drain_inbox() noexcept;
  /// Readies the fibers whose deadline has passed.
  void fire_timers() noexcept;
  /// Those that became ready behind @p last (null: all) go on in their order, but a random one of them begins. Fibers whose
  /// deadlines passed in one long turn would otherwise meet in the same order turn after turn, and one that has to come
  /// first for once never would: CPython's threads, which ask for the interpreter's lock again every 5 ms.
  void rotate_ready_behind(fiber* last) noexcept;

  /// From an event's callback, on the loop fiber: ends the park that @p w names as `unpark` does, and runs the fiber at
  /// once instead of queueing it, unless the batch has become long.
  void wake_from_event(waker w, int reason) noexcept;

  /// The front of the run queue, or whom a random schedule draws.
  fiber* next_ready() noexcept {
    if (__builtin_expect(lots.on(), 0)) draw_front();
    return pop_ready();
  }

  /// Asked when the quantum is used up. True: the loop fiber is to be entered now, and will look at I/O.
  bool time_to_look() noexcept;

  draws lottery;          // of rotate_ready_behind, under any schedule
  bool poll_due = false;  // the loop fiber is to look at I/O before it runs anybody
  bool stopping = false;
  test_vote vote;  // under the lock of core/test_clock.cpp

  // -- random schedules (core/random_schedule.cpp). With one every switch asks `time_to_look`, and that draws.
  draws lots;
  /// Draws from now on as the process's seed says.
  void take_seed() noexcept;
  /// Whether the fiber that is about to park lets others run before.
  bool draw_detour() noexcept;

 private:
  void draw_front() noexcept;
  bool draw_turn() noexcept;
  void begin_look() noexcept { polls.store(polls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  void look(std::int64_t until_ns) noexcept;

  /// Under a test_clock, in the place of a sleep until the next deadline: agrees to a jump of the time with the other hubs.
  void rest_in_test_time() noexcept;
  std::int64_t agree(std::uint64_t seen_round) noexcept;
  /// The first deadline that a fiber has. Entries of waits that have ended leave the heap.
  std::int64_t next_due() noexcept;

  /// Readies the fibers that wait for idleness with the highest priority there is.
  void wake_idlers() noexcept;

  /// Looks at the inbox for some microseconds before the hub goes to sleep, if messages came that soon of late: being
  /// woken by the kernel costs several times that.
  bool spin_for_messages() noexcept;

  int turn_ = poll_interval;  // a full quantum
  unsigned direct_mask_ =
      63;  // of an event's number: who is readied by one waits for a turn if none of these bits is set
  unsigned events_in_batch_ = 0;
  std::uint64_t looked_at_switch_ = 0;
  std::uint32_t preferred_ = 0;  // fibers in a row that went before others
  int spins_left_ = 0;
  std::uint64_t next_id_ = 0;
  std::uint64_t id_end_ = 0;
  std::int64_t next_trim_ = 0;
  std::int64_t looked_at_ = 0;
};

}  // namespace weft::core

/// The hub that the running code belongs to; nullptr on a thread that has none. One word in each thread's (and thread
/// fiber's) own storage that never changes once set, because fibers do not move between hubs.
extern "C" __attribute__((visibility("default"), tls_model("initial-exec"))) __thread weft::core::hub* weft_this_hub;
