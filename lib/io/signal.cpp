// SPDX-License-Identifier: MIT
#include "weft/signal.hpp"

#include <errno.h>
#include <poll.h>

#include <system_error>

#include "base/syscall.hpp"
#include "io/signal_source.hpp"
#include "weft/fiber.hpp"
#include "weft/io.hpp"
#include "weft/watcher.hpp"

namespace weft {

namespace {

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : signals) {
    if (sigaddset(&set, s) != 0) {
      throw std::system_error(EINVAL, std::generic_category(),
                              "weft: not the number of a signal that can be waited for");
    }
  }
  return set;
}

}  // namespace

signal_stream::signal_stream(std::initializer_list<int> signals) : signal_stream(set_of(signals)) {}
signal_stream::signal_stream(const sigset_t& signals) : source_(std::make_unique<detail::signal_source>(signals)) {}
signal_stream::signal_stream(signal_stream&& other) noexcept = default;
signal_stream& signal_stream::operator=(signal_stream&& other) noexcept = default;
signal_stream::~signal_stream() = default;

std::optional<siginfo_t> signal_stream::receive(deadline by) {
  siginfo_t info;
  for (;;) {
    const int fd = native_handle();
    if (fd < 0) throw std::system_error(EBADF, std::generic_category(), "weft: a signal_stream that is over");
    if (source_->try_take(info)) return info;
    if (!wait_readable(fd, by)) return std::nullopt;
  }
}

bool signal_stream::ready() const noexcept {
  pollfd look{native_handle(), POLLIN, 0};
  return look.fd >= 0 && (base::raw_syscall(SYS_poll, &look, 1, 0) == 1 || source_->has_overflowed());
}

int signal_stream::native_handle() const noexcept { return source_ == nullptr ? -1 : source_->fd(); }

std::optional<siginfo_t> signal_wait(std::initializer_list<int> signals, deadline by) {
  return signal_stream(signals).receive(by);
}

class [[gnu::visibility("hidden")]] signal_handler::state {
 public:
  state(int signum, function call)
      : call_(std::make_shared<const function>(std::move(call))), watcher_(signum, [this](const siginfo_t& info) {
          spawn({.name = "signal", .on = hub::current()}, [call = call_, info]() noexcept { (*call)(info); });
        }) {
    watcher_.start();
  }
  void stop() { watcher_.stop(); }

 private:
  const std::shared_ptr<const function> call_;
  signal_watcher watcher_;
};

signal_handler::signal_handler(int signum, function call, int)
    : state_(std::make_unique<state>(signum, std::move(call))) {}
signal_handler::signal_handler(signal_handler&& other) noexcept = default;
signal_handler& signal_handler::operator=(signal_handler&& other) noexcept = default;
signal_handler::~signal_handler() = default;

void signal_handler::cancel() {
  if (state_ != nullptr) state_->stop();
}

}  // namespace weft
