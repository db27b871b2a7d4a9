// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/list.hpp"
#include "base/spinlock.hpp"
#include "core/fiber.hpp"
#include "core/hub.hpp"
#include "loop/loop.hpp"

namespace weft::fd {

struct slot;
struct watch;
using loop::direction;

enum class outcome : std::uint8_t {
  woken,        ///< try again
  timed_out,    ///< the deadline passed
  interrupted,  ///< a signal for the fiber
  closed,       ///< the descriptor was closed by `close_waking`
  cancelled,    ///< what the fiber does is being cancelled: call `throw_cancelled`
  stale,        ///< the number was being closed when the wait began: what it stands for now must be looked at anew
};

/// One fiber that waits for one direction of one descriptor; on its stack. Or somebody who wants to be told of an event.
struct waiter : base::list_link {
  core::waker who{};
  void (*told)(waiter&) noexcept = nullptr;  // called instead of waking `who`, under the watch's lock
  bool exclusive = true;                     ///< an event is for one of these; all others are told of it
  bool queued = false;
};

/// The readiness of one open descriptor: a libev watcher for each direction, and who waits.
///
/// The watchers belong to the loop of the *home* hub, that of the first one who waited; fibers of other hubs have them
/// armed there by a message. When the home's thread ends, the hub of another that waits becomes the home, or that of the next
/// one. A watcher stays armed between waits and is stopped when events find nobody waiting.
///
/// Blocks are never unmapped and their lock is never made anew, so that a stale pointer can be locked and looked at.
struct watch {
  struct alignas(64) side : loop::io {
    watch* owner = nullptr;
    direction dir{};
    bool placed = false;                          // the io was pointed at the descriptor (home hub only)
    bool armed = false;                           // under the lock
    std::uint8_t misses = 0;                      // events in a row that found nobody
    std::uint32_t added = 0;                      // home's count of polls when a waiter of home was last added
    std::atomic<core::fiber*> expected{nullptr};  // of home, who will probably run at the next event: a hint
    base::list<waiter> waiters;
  };

  base::spinlock lock;
  bool gone = true;        // the number is no longer this one's
  bool shut = false;       // by `close_waking`
  bool lost = false;       // made in the midst of a close: for which of the two files is not known
  bool copied = false;     // `fd` is a private copy, made when the program closed the number while it was in use
  bool arm_asked = false;  // that message is under way
  int fd = -1;             // for system calls; changes when `copied` does
  std::uint32_t users = 0;
  std::atomic<std::uint32_t> busy{0};  // those of them that may be in a system call on `fd` now; written under the lock
  core::hub* home = nullptr;           // under the lock; null: that of the next who waits
  side sides[2];
  struct request : core::message {
    watch* owner = nullptr;
  };
  request arm_message;
  request drop_message;
  watch* next_free = nullptr;
  watch* next_made = nullptr;
};

/// The watch of @p fd, made if there is none, that stays usable until `unpin`, also if the program closes the number
/// meanwhile. nullptr when memory is short, or the number is nobody's. On a fiber.
watch* pin(int fd) noexcept;
void unpin(watch& w) noexcept;
/// The descriptor to use for system calls; -1 if it is gone altogether.
inline int fd_of(const watch& w) noexcept { return __atomic_load_n(&w.fd, __ATOMIC_ACQUIRE); }

/// Adds @p n, whose `who` the caller has prepared, to those waiting for @p dir, and sees to it that events come. For who holds
/// the watch's lock.
void add_waiter_held(watch& w, direction dir, waiter& n) noexcept;
/// The same for who does not.
inline void add_waiter(watch& w, direction dir, waiter& n) noexcept {
  const std::lock_guard guard(w.lock);
  add_waiter_held(w, dir, n);
}
/// After the park: takes @p n out again if no event did. @return whether the number is still this watch's
bool remove_waiter(watch& w, waiter& n) noexcept;

/// Waits for one direction of a pinned watch. Readiness is a hint: try, and wait again.
outcome wait(watch& w, direction dir, std::int64_t due_ns, bool interruptible, bool exclusive = true) noexcept;

/// The same as a cancellation point of the library.
outcome wait_cancellable(watch& w, direction dir, std::int64_t due_ns) noexcept;

/// What one blocking call uses from its first wait on: the file that its number stood for when it began, whatever becomes
/// of the number. A close of the number lets the system call on `fd` that follows a wait end first, since between the look
/// at `fd` and the kernel's the number could otherwise become another file's.
class hold {
 public:
  hold() noexcept = default;
  hold(const hold&) = delete;
  hold& operator=(const hold&) = delete;
  ~hold() {
    if (watch_ != nullptr) release();
  }

  bool taken() const noexcept { return watch_ != nullptr; }
  /// @param generation  of the number's slot, from before the call's first try, which found a file there
  /// @return 0; -ENOMEM; -ESTALE if the number was closed since, or is being closed
  long take(int fd, std::uint32_t generation) noexcept;
  int fd() const noexcept { return fd_of(*watch_); }
  outcome wait(direction dir, std::int64_t due_ns, bool interruptible) noexcept;
  /// To be called before `fd` is used for anything that may take long: a close does not wait for that.
  void rest() noexcept;

 private:
  void release() noexcept;

  watch* watch_ = nullptr;
  bool busy_ = false;
};

/// Waits until @p fd may be ready. The plain form for callers that have no signals and no descriptors closed under them.
outcome wait_fd(int fd, direction dir, std::int64_t due_ns, bool interruptible = false) noexcept;

/// Around the kernel's close of a number, or its replacement by dup2: no event of the old file is delivered to
/// anybody who uses the number anew. Fibers that are blocked on it keep it, as threads do natively, by a private copy.
void before_close(int fd) noexcept;
void after_close(int fd) noexcept;
/// The number is known to have got another file in a way that was not seen: who waits for the old one must look anew.
void lose(int fd) noexcept;
/// Closes a descriptor of Weft's own sockets: those who wait for it wake with `closed`.
long close_waking(int fd) noexcept;
/// Its first part, before the kernel's close and `after_close`: the number is nobody's any more. @p pins of the caller's own
/// may still stand; the watchers go on until the last of all is undone.
void shut_waking(int fd, std::uint32_t pins) noexcept;

}  // namespace weft::fd
