// SPDX-License-Identifier: MIT
// The watchers of signals and of children: descriptors that stand for them, and what is taken from these.
#include <errno.h>

#include <memory>
#include <system_error>
#include <utility>

#include "fd/watch.hpp"
#include "io/child.hpp"
#include "io/signal_source.hpp"
#include "io/watch_state.hpp"

namespace weft {

namespace {

// The loop tells of readiness again and again, so it is asked anew only when all has been taken.
struct readable_state : detail::watch_state {
  struct side : loop::io {
    readable_state* owner = nullptr;
  };

  readable_state() { reading.owner = this; }
  void listen(int fd) noexcept {
    reading.set(fd, loop::direction::read, [](loop::io& w) noexcept {
      readable_state& s = *static_cast<side&>(w).owner;
      s.stop_listening();
      s.happened(/*in_event=*/true);
    });
    reading.start(home->events.get());
  }
  void stop_listening() noexcept {
    if (reading.active()) reading.stop(home->events.get());
  }
  side reading;
};

struct signal_state final : readable_state {
  signal_state(int s, std::function<void(const siginfo_t&)> c) : signum(s), function(std::move(c)) {}
  void arm() override {
    sigset_t set;
    sigemptyset(&set);
    if (sigaddset(&set, signum) != 0) {
      throw std::system_error(EINVAL, std::generic_category(), "weft: not the number of a signal");
    }
    source = std::make_unique<detail::signal_source>(set);
    listen(source->fd());
  }
  void disarm() noexcept override {
    stop_listening();
    source.reset();
  }
  void call(bool was_fed) override {
    siginfo_t info{};
    info.si_signo = signum;
    if (was_fed) function(info);
    while (active && source->try_take(info)) function(info);
    if (active && !pending && !reading.active()) listen(source->fd());
  }

  const int signum;
  const std::function<void(const siginfo_t&)> function;
  std::unique_ptr<detail::signal_source> source;
};

struct child_state final : readable_state {
  child_state(pid_t p, std::function<void(exit_status)> c) : pid(p), function(std::move(c)) {}
  void arm() override {
    fd = detail::open_pidfd(pid);
    if (fd < 0) throw std::system_error(-fd, std::generic_category(), "weft: no such child");
    listen(fd);
  }
  void disarm() noexcept override {
    stop_listening();
    fd::close_waking(fd);
    fd = -1;
  }
  void call(bool was_fed) override {
    exit_status status;
    if (!was_fed && !detail::reap(pid, status)) return listen(fd);
    deactivate();
    function(status);
  }

  const pid_t pid;
  const std::function<void(exit_status)> function;
  int fd = -1;
};

}  // namespace

signal_watcher::signal_watcher(int signum, std::function<void(const siginfo_t&)> call)
    : watcher(new signal_state(signum, detail::not_empty(std::move(call)))) {}

child_watcher::child_watcher(pid_t pid, std::function<void(exit_status)> call)
    : watcher(new child_state(pid, detail::not_empty(std::move(call)))) {}

}  // namespace weft
