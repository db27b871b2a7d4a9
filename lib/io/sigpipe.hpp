// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <csignal>
#include <ctime>

namespace weft::io {

/// Around a system call that cannot be told to spare the process SIGPIPE (write, splice, sendfile): blocks it for the
/// calling thread, and takes it away again if the call has raised it. Nothing parks in between.
class without_sigpipe {
 public:
  without_sigpipe() noexcept {
    sigemptyset(&just_pipe_);
    sigaddset(&just_pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &just_pipe_, &before_);
  }
  without_sigpipe(const without_sigpipe&) = delete;
  without_sigpipe& operator=(const without_sigpipe&) = delete;
  ~without_sigpipe() {
    // If it was blocked before, one that is pending may not be ours.
    if (sigismember(&before_, SIGPIPE) == 1) return;
    if (raised_) {
      const timespec now{};
      sigtimedwait(&just_pipe_, nullptr, &now);
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  /// The call failed with EPIPE.
  void note_raised() noexcept { raised_ = true; }

 private:
  sigset_t just_pipe_;
  sigset_t before_;
  bool raised_ = false;
};

/// Calls @p call, which answers as one of libc's does; errno is its own afterwards.
template <class Call>
auto sparing_sigpipe(Call&& call) noexcept {
  decltype(call()) result;
  int error;
  {
    without_sigpipe guard;
    result = call();
    error = errno;
    if (result < 0 && error == EPIPE) guard.note_raised();
  }
  errno = error;
  return result;
}

}  // namespace weft::io
