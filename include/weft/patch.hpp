// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weft {

namespace core {
struct fiber;
}

namespace detail {
/// While it lives, what the calling fiber calls blocks its hub.
class native_calls {
 public:
  native_calls() noexcept;
  native_calls(const native_calls&) = delete;
  native_calls& operator=(const native_calls&) = delete;
  ~native_calls();

 private:
  core::fiber* fiber_;
  bool before_;
};
}  // namespace detail

/// Makes libraries that know nothing of Weft cooperate: after `all()`, a call of libc that blocks a thread (connect, read,
/// poll, getaddrinfo, nanosleep, pthread_mutex_lock, ...) parks the fiber that makes it instead, and the others run on.
///
/// It is what `weft run` does to a program that cannot be changed, done by the program itself; libpq, hiredis, libcurl,
/// OpenSSL work in fibers as they are. A program whose own code does all its waiting by Weft's sockets and locks needs none of
/// it. The target is `weft::patch` (pkg-config: `weft-patch`).
///
///     int main() {
///       weft::patch::all();  // the first thing
///       auto a = weft::spawn([] { return fetch_with_libcurl("http://..."); });
///       auto b = weft::spawn([] { return ask_redis_with_hiredis("GET key"); });
///       std::puts((a.get() + b.get()).c_str());  // both waited at once, on one OS thread
///     }
///
/// What is changed are the system call instructions of libc and of all objects that are loaded at that moment. It does not
/// matter which they are, nor what was called in them before; what is loaded later calls the patched libc. From then on
///
/// - `spawn` and all that is made of it give *thread fibers*: each has its own thread_local variables, errno and pthread_self, made
///   by libc's pthread_create, which foreign libraries count on. A fiber that is asked for as light (`fiber_attributes::weight`) is
///   for code that makes no blocking call of libc: such a call blocks its whole hub there. The functions of `link`, `then` and
///   watchers run in light ones, and so does what is spawned in a light one or in an OS thread of `offload`.
/// - pthread_create, std::thread and OpenMP's threads give fibers, too. `offload` and `thread_pool` keep their OS
///   threads, in which calls block that thread alone.
/// - main, and what was spawned, run until they wait, as before: nothing preempts them. A pthread of others that computes
///   for more than some milliseconds is.
/// - There is one hub, as there is without the patch; `run({.hubs = N})` gives more.
///
/// Blocking  `all` and `groups` take some milliseconds, once.
/// Order     Before there are other threads or fibers, and before main has waited by Weft's own means. First thing in main is best; a constructor of a static object that makes a
///           thread is too early for that, and the error names the thread.
/// Cancel    A kill or a timeout ends a call that waits for a descriptor, a time, a child or a signal with ECANCELED, and so does
///           every further one, until it is thrown at the fiber's next suspension point of Weft's own: `this_fiber::
///           interruption_point()` behind the call of a library is one. No frames of C are unwound. Locks and joins of pthreads
///           go on waiting.
/// Threads   On main's thread. The questions may be asked anywhere.
/// Lifetime  For good: there is no way back. A fork's child is native until it makes a thread, and patched from then on; where the
///           program has fibers it is patched at once, and the fiber that called fork goes on as weft/fork.hpp says. The child of a
///           light fiber goes on as one, and its process stays native. What a child executes is not patched, unless it
///           patches itself.
/// Cost      That of `weft run`, see docs/preload.md; a fiber takes three pages and the time of a pthread_create.
namespace patch {

/// Patches everything. Once it is done, further calls do nothing.
///
/// In a preloaded process (`weft run`) there is little left to do: the hubs are as many as the command said, and main is preempted
/// as its other threads are.
///
/// @return false, and nothing is changed, if the environment says WEFT=0 or names the program in WEFT_EXCLUDE: it switches Weft's
///         patch off, to see whether a problem comes from it. Fibers are light then.
/// @throws std::system_error  errc::device_or_resource_busy: there are threads or fibers already; the message names them.
///         errc::operation_not_permitted: the text of libc may not be changed (SELinux's execmod, MemoryDenyWriteExecute).
///         errc::no_such_file_or_directory: libweft-shim.so is not beside libweft-patch.so.
///         errc::not_enough_memory: no memory or descriptors for the hub. The process is as before after each of them.
bool all();

/// Patches some groups: @p list is that of `weft run --patch` (docs/preload.md), such as "socket,select,time" or "all,-file". What was
/// patched before stays: a second call adds to it. `thread`, `process`, `signal` and `memory`, which make threads into fibers,
/// are part of any list.
/// @throws std::invalid_argument  a group that does not exist; the message says which there are
/// @throws as `all`
bool groups(std::string_view list);

/// Whether the process is patched, from inside or by `weft run`. False in a preloaded process that has made no thread or fiber
/// yet, and in the fork's child of one that has no fibers until it makes a thread.
bool is_patched() noexcept;
/// Whether all groups of @p list are.
/// @throws std::invalid_argument  a group that does not exist
bool is_patched(std::string_view list);

/// A function that is called with the calls that wait left to the kernel: sleeps, reads, polls, waits for children
/// and so on in it block the whole hub, as they do in a process that is not patched. Threads, locks and signals stay what they are.
///
///     weft::patch::original(::poll)(fds, count, 5);           // the hub sleeps for 5 ms
///     weft::patch::original([&] { return old_code(x); })();   // and so does all that old_code calls
template <class F>
class original_function {
 public:
  constexpr explicit original_function(F f) noexcept(std::is_nothrow_move_constructible_v<F>)
      : function_(std::move(f)) {}

  template <class... Args>
  std::invoke_result_t<const F&, Args...> operator()(Args&&... args) const {
    const detail::native_calls here;
    return std::invoke(function_, std::forward<Args>(args)...);
  }

 private:
  F function_;
};

/// @p function without the patch; the counterpart of gevent's get_original. Any function may be given, also a whole library's.
template <class F>
constexpr original_function<std::decay_t<F>> original(F&& function) {
  return original_function<std::decay_t<F>>(std::forward<F>(function));
}

}  // namespace patch
}  // namespace weft
