// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>

#include "weft/exit_status.hpp"

namespace weft {

namespace detail {
struct watch_state;
}

/// What all watchers share: something that a hub looks at, and a function that is called each time it happens. For those
/// who think in callbacks; a fiber that waits (`wait_readable`, `sleep_for`, `signal_stream`) is easier to write.
///
///     weft::timer_watcher tick(1s, 1s, [] { report(); });
///     tick.start();
///
/// A watcher belongs to the hub of the fiber that first starts it. The functions are called by fibers of that hub which
/// are kept for it, one after the other, in the order in which things happened. So a function may wait, unlike a gevent
/// or libev callback: the others are then called by another fiber. The function of one watcher is never called
/// again before it has returned; what happens meanwhile makes one further call. The fibers are light ones, in a patched process
/// too (patch.hpp): a function waits by Weft's own means there, and what it spawns is light.
///
/// Blocking  Nothing here suspends. Functions run soon after what they are for, once the running fiber waits.
/// Cancel    The fibers that call the functions are nobody's to cancel. An exception that leaves a function ends the
///           program by std::terminate.
/// Errors    A constructor that is given an empty std::function throws std::invalid_argument.
/// Threads   Only for fibers of its hub, but for `async_watcher::send`; elsewhere it throws std::logic_error. Its
///           destruction while active, elsewhere, ends the program.
/// Lifetime  Destruction stops it, also from within its own function, whose captures live until it returns. In a fork's
///           child every watcher is stopped.
/// Cost      A call: one or two switches. `start` allocates once; the first of a hub makes a fiber.
class watcher {
 public:
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;

  /// Begins to watch; nothing if it does. On a thread that has no hub yet, this makes one for it.
  /// @throws std::system_error when memory, descriptors or (for what the kernel is asked) permission are short
  void start();
  /// Ends it, and takes back a call that has not begun.
  void stop();
  /// Whether it watches. One that is done by itself (a timer that does not repeat, a child) is not.
  bool active() const noexcept;
  /// Whether a call is due that has not begun.
  bool pending() const noexcept;
  /// Makes a call due as if it had happened. Only while active.
  void feed();

  /// An active watcher counts as something that can still happen, so a hub whose fibers all wait for each other does
  /// not report a deadlock. After `unref` it does not count; `ref` takes that back. Neither is counted: as flags.
  void ref();
  void unref();

  /// From -2 to 2, 0 at first: of what the hub finds in one look, the higher is called first. Only while stopped.
  /// @throws std::logic_error  active, or out of range
  void priority(int value);
  int priority() const noexcept;

 protected:
  explicit watcher(detail::watch_state* state) noexcept : state_(state) {}
  ~watcher();
  detail::watch_state* state() const noexcept { return state_; }

 private:
  detail::watch_state* const state_;
};

/// A descriptor: calls as long as it is ready, with what poll(2) says it is ready for.
///
/// @p events are POLLIN, POLLOUT or both, and the call gets those that hold, POLLERR and POLLHUP besides. Stop it before
/// the descriptor is closed: the number may mean another file afterwards, which would be watched instead or not. A number that
/// is no descriptor calls with POLLNVAL.
class io_watcher : public watcher {
 public:
  /// @throws std::invalid_argument  other events, or none
  io_watcher(int fd, short events, std::function<void(short)> call);
};

/// Time: calls once @p after has passed from the start, and then every @p repeat unless that is zero. Kept to about a
/// millisecond; a repetition that could not be called in time is dropped, not made up for. Times below zero are as zero.
class timer_watcher : public watcher {
 public:
  timer_watcher(std::chrono::nanoseconds after, std::chrono::nanoseconds repeat, std::function<void()> call);

  /// Lets @p repeat begin anew from now, whether it is active or not; a zero `repeat` stops it. The way to watch for
  /// inactivity: call it at each activity.
  void again();
  /// Other times, from the next `start` or `again` on.
  void set(std::chrono::nanoseconds after, std::chrono::nanoseconds repeat) noexcept;
  /// Until the next call; zero while stopped.
  std::chrono::nanoseconds remaining() const;
};

/// The hub has nothing else to do: calls again and again then, and the hub does not sleep while one is active. Of several
/// priorities only the highest are called.
class idle_watcher : public watcher {
 public:
  explicit idle_watcher(std::function<void()> call);
};

/// The hub is about to look at I/O and time, and perhaps to sleep; what the call readies runs first.
class prepare_watcher : public watcher {
 public:
  explicit prepare_watcher(std::function<void()> call);
};

/// The hub has looked at I/O and time.
class check_watcher : public watcher {
 public:
  explicit check_watcher(std::function<void()> call);
};

/// Another thread, fiber or signal handler has something to say: `send` makes a call on the watcher's hub.
class async_watcher : public watcher {
 public:
  explicit async_watcher(std::function<void()> call);

  /// From anywhere, signal handlers included. Any number of sends before the call make one call; none if it is stopped.
  /// Never suspends. What was written before `send` is seen by the call.
  void send() noexcept;
};

/// A path: calls when what stat(2) says of it has changed, with what it says now and said before; st_nlink is 0 where
/// there was nothing. By inotify where the kernel has it, else by a look every @p interval (zero or less: some seconds). Each look
/// is an lstat on the hub's thread: not for file systems that may hang.
class stat_watcher : public watcher {
 public:
  stat_watcher(std::string path, std::chrono::nanoseconds interval,
               std::function<void(const struct stat& now, const struct stat& before)> call);
};

/// A signal: calls for each that comes, as `signal_stream` has them. Starts and stops as often as one likes.
class signal_watcher : public watcher {
 public:
  signal_watcher(int signum, std::function<void(const siginfo_t&)> call);
};

/// A child process: calls once when it has ended, with its status, which it takes from the kernel (waitpid(2)). Not for
/// a child that a `process` or somebody else waits for; if one was faster the status is unknown.
class child_watcher : public watcher {
 public:
  child_watcher(pid_t pid, std::function<void(exit_status)> call);
};

}  // namespace weft
