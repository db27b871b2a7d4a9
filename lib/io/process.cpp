// SPDX-License-Identifier: MIT
#include "weft/process.hpp"

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <new>
#include <system_error>
#include <vector>

#include "base/syscall.hpp"
#include "core/fork.hpp"
#include "core/local_hub.hpp"
#include "fd/poll_now.hpp"
#include "io/child.hpp"
#include "io/held_flag.hpp"
#include "io/operation.hpp"
#include "io/spawn_actions.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/subscription.hpp"
#include "weft/fiber.hpp"
#include "weft/hub.hpp"
#include "weft/io.hpp"
#include "weft/shield.hpp"

namespace weft {

class [[gnu::visibility("hidden")]] process::state : public std::enable_shared_from_this<state> {
 public:
  state(const std::vector<std::string>& command, const process_options& options) {
    child_actions actions(options);
    has_group_ = options.new_group || options.new_session || options.group != 0;
    pid_ = actions.spawn(command);
    group_ = options.group != 0 ? options.group : pid_;
    pidfd_ = io::descriptor(std::max(detail::open_pidfd(pid_), -1));
    has_pidfd_ = pidfd_.number() >= 0;
    // The child is there: from here on what fails must not lose it.
    const auto take = [](int& fd) { return std::exchange(fd, -1); };
    if (actions.ends[0] >= 0) in = pipe_writer(take(actions.ends[0]));
    if (actions.ends[1] >= 0) out = pipe_reader(take(actions.ends[1]));
    if (actions.ends[2] >= 0) err = pipe_reader(take(actions.ends[2]));
  }
  state(const state&) = delete;
  state& operator=(const state&) = delete;

  pid_t pid() const noexcept { return pid_; }

  // Who finds that it has ended tells all others who wait, of whatever hub: the event of the pidfd is for one of them,
  // and the hub that takes it may have no further turn.
  bool over() {
    if (!look()) return false;
    announce();
    return true;
  }
  // The status stays what it is once it is over.
  std::optional<exit_status> status() { return over() ? std::optional(status_) : std::nullopt; }

  // @return whether it may have ended; false when @p by has passed
  bool wait_for_end(deadline by) {
    if (has_pidfd_) {
      const auto ended = [](int fd) {
        pollfd asked{fd, POLLIN, 0};
        errno = EAGAIN;
        return fd::poll_now(&asked, 1) > 0 ? 0L : -1L;
      };
      // EBADF stands for somebody who was faster.
      return io::operate(pidfd_, fd::direction::read, by, false, ended) != io::failed_with(io_errc::timed_out);
    }
    // A kernel or a filter without pidfds: looks now and then, less often as time goes by.
    using namespace std::chrono_literals;
    if (by <= deadline(0ms)) return false;
    const std::chrono::microseconds pause = pause_.load(std::memory_order_relaxed);
    this_fiber::sleep_until(std::min(by, deadline(pause)));
    pause_.store(std::min<std::chrono::microseconds>(pause * 2, 50ms), std::memory_order_relaxed);
    return true;
  }

  void subscribe(detail::subscription & s);
  void unsubscribe(detail::subscription & s) noexcept {
    const std::lock_guard guard(lock_);
    subscribers_.remove(s);
  }

  bool send(int signum) {
    if (over()) return false;
    const std::lock_guard guard(lock_);
    if (over_) return false;
    // Not reaped, so the number is still this child's.
    return sent(base::raw_syscall(SYS_kill, pid_, signum));
  }
  bool send_to_group(int signum) {
    if (!has_group_) throw std::logic_error("weft: a process without a group of its own");
    return sent(base::raw_syscall(SYS_kill, -group_, signum));
  }

  bool communicate(std::string_view input, deadline by);
  process_output take_output() noexcept { return std::move(output_); }

  bool has_group() const noexcept { return has_group_; }

  /// Children whose object goes before they have ended are kept, and looked at when the next one is made, as in Python.
  void abandon() noexcept;
  static void reap_abandoned() noexcept;

  pipe_writer in;
  pipe_reader out, err;

 private:
  bool look() noexcept {
    const std::lock_guard guard(lock_);
    if (over_) return true;
    return over_ = detail::reap(pid_, status_);
  }
  // Those who wait by the pidfd first: when a subscriber goes on, the fiber that waited on its behalf has its turn.
  void announce() noexcept {
    pidfd_.close();
    const std::lock_guard guard(lock_);
    subscribers_.finish();
  }
  void watch_here();
  static bool sent(long result) {
    if (result == 0) return true;
    if (result == -ESRCH) return false;
    throw std::system_error(static_cast<int>(-result), std::system_category(), "weft: a signal to a child");
  }
  void write_some();
  static void read_some(pipe_reader & from, std::string & to);

  static constinit detail::spinlock abandoned_lock;
  static constinit state* abandoned;
  static void forget_after_fork() noexcept;
  std::shared_ptr<state> kept_;  // itself, while it is in that list
  state* next_ = nullptr;

  detail::spinlock lock_;
  pid_t pid_ = -1;
  pid_t group_ = -1;
  io::descriptor pidfd_;
  bool has_pidfd_ = false;
  bool has_group_ = false;
  bool over_ = false;
  bool begun_ = false;
  exit_status status_;
  std::atomic<std::chrono::microseconds> pause_{std::chrono::microseconds(500)};
  detail::subscription_list subscribers_;
  std::atomic<bool> watched_on_[core::max_hubs] = {};
  std::string_view input_;
  process_output output_;
};

constinit detail::spinlock process::state::abandoned_lock;
constinit process::state* process::state::abandoned = nullptr;

namespace {

constexpr deadline at_once = deadline::from_ns(0);

// The input of a child that reads no more is dropped.
bool is_closed_pipe(const std::error_code& ec) { return ec == std::errc::broken_pipe; }

}  // namespace

void process::state::write_some() {
  std::error_code ec;
  const std::size_t n = in.write_some(const_buffer(input_.data(), input_.size()), ec, at_once);
  input_.remove_prefix(n);
  if (n == 0 && ec && ec != std::errc::timed_out) {
    if (!is_closed_pipe(ec)) throw std::system_error(ec, "weft: the input of a child");
    input_ = {};
  }
  if (input_.empty()) in.close();
}

void process::state::read_some(pipe_reader& from, std::string& to) {
  char chunk[16384];
  std::error_code ec;
  const std::size_t n = from.read_some(chunk, ec, at_once);
  if (n > 0) {
    to.append(chunk, n);
  } else if (!ec) {
    from.close();
  } else if (ec != std::errc::timed_out) {
    throw std::system_error(ec, "weft: the output of a child");
  }
}

bool process::state::communicate(std::string_view input, deadline by) {
  if (!std::exchange(begun_, true)) {
    input_ = input;
    if (input_.empty()) in.close();
  }
  for (;;) {
    pollfd streams[] = {
        {in.native_handle(), POLLOUT, 0}, {out.native_handle(), POLLIN, 0}, {err.native_handle(), POLLIN, 0}};
    if (!in && !out && !err) break;
    if (weft::poll(streams, by) == 0) return false;
    if (streams[0].revents != 0) write_some();
    if (streams[1].revents != 0) read_some(out, output_.out);
    if (streams[2].revents != 0) read_some(err, output_.err);
  }
  while (!over()) {
    if (!wait_for_end(by)) return over();
  }
  return true;
}

// The pidfd tells fibers. So for subscribers one on each of their hubs waits for it, until the child ends.
void process::state::subscribe(detail::subscription& s) {
  {
    const std::lock_guard guard(lock_);
    if (!over_) {
      subscribers_.add(s);
    } else {
      s.notify(s);
      return;
    }
  }
  try {
    watch_here();
  } catch (...) {
    unsubscribe(s);
    throw;
  }
}

void process::state::watch_here() {
  const unsigned here = core::local_hub().index;
  if (watched_on_[here].exchange(true)) return;
  const std::shared_ptr<state> self = shared_from_this();
  io::held_flag watched(std::shared_ptr<std::atomic<bool>>(self, &watched_on_[here]));
  spawn({.name = "process", .on = hub::current()}, [self, watched = std::move(watched)] {
    while (!self->over()) self->wait_for_end(deadline::never());
  });
}

void process::state::abandon() noexcept {
  in.close();
  out.close();
  err.close();
  const std::lock_guard guard(abandoned_lock);
  kept_ = shared_from_this();
  next_ = std::exchange(abandoned, this);
}

void process::state::reap_abandoned() noexcept {
  static constinit core::fork_hook hook{forget_after_fork};
  core::on_fork(hook);
  state* ended = nullptr;
  {
    const std::lock_guard guard(abandoned_lock);
    for (state** at = &abandoned; *at != nullptr;) {
      if (!(*at)->look()) {
        at = &(*at)->next_;
        continue;
      }
      state* const one = std::exchange(*at, (*at)->next_);
      one->next_ = std::exchange(ended, one);
    }
  }
  while (ended != nullptr) {
    state* const one = std::exchange(ended, ended->next_);
    one->announce();
    const std::shared_ptr<state> last = std::move(one->kept_);
  }
}

// The parent's children are none of this process's.
void process::state::forget_after_fork() noexcept {
  new (&abandoned_lock) detail::spinlock;  // whoever held it is not here
  abandoned = nullptr;
}

process::process(const std::vector<std::string>& command, const process_options& options) {
  state::reap_abandoned();
  state_ = std::make_shared<state>(command, options);
}

process::process(process&& other) noexcept = default;
process& process::operator=(process&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}
process::~process() {
  if (state_ != nullptr && !state_->over()) state_->abandon();
}

const std::shared_ptr<process::state>& process::own() const {
  if (state_ == nullptr) throw std::logic_error("weft::process: moved away");
  return state_;
}

pid_t process::pid() const { return own()->pid(); }
pipe_writer& process::in() { return own()->in; }
pipe_reader& process::out() { return own()->out; }
pipe_reader& process::err() { return own()->err; }

exit_status process::wait() { return *wait(deadline::never()); }

std::optional<exit_status> process::wait(deadline by) {
  const std::shared_ptr<state> kept = own();  // this may be destroyed meanwhile
  for (;;) {
    if (const auto status = kept->status()) return status;
    if (!kept->wait_for_end(by)) return kept->status();
  }
}

std::optional<exit_status> process::poll() { return own()->status(); }
bool process::ready() const { return own()->over(); }
void process::add_waiter(detail::subscription& s) { own()->subscribe(s); }
void process::remove_waiter(detail::subscription& s) noexcept {
  if (state_ != nullptr) state_->unsubscribe(s);
}

std::optional<process_output> process::communicate(std::string_view input, deadline by) {
  const std::shared_ptr<state> kept = own();
  if (!kept->communicate(input, by)) return std::nullopt;
  return kept->take_output();
}

bool process::send_signal(int signum) { return own()->send(signum); }
bool process::terminate() { return send_signal(SIGTERM); }
bool process::kill() { return send_signal(SIGKILL); }
bool process::send_signal_to_group(int signum) { return own()->send_to_group(signum); }

void process::kill_and_wait(process_output& rest) {
  if (state_->has_group()) state_->send_to_group(SIGKILL);
  kill();
  const shield guard;
  wait();
  rest = state_->take_output();
}

}  // namespace weft
