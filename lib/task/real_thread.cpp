// SPDX-License-Identifier: MIT
#include "task/real_thread.hpp"

#include <pthread.h>
#include <signal.h>

#include <initializer_list>

#include "core/patching.hpp"

namespace weft::task_layer {

namespace {

// The new thread starts with the mask of the one that makes it.
class signals_blocked {
 public:
  signals_blocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT}) sigdelset(&all, fault);
    pthread_sigmask(SIG_SETMASK, &all, &old_);
  }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;
  ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &old_, nullptr); }

 private:
  sigset_t old_;
};

}  // namespace

int start_thread(void* (*run)(void*), void* argument, std::size_t stack_size) noexcept {
  pthread_attr_t attributes;
  if (const int error = pthread_attr_init(&attributes); error != 0) return error;
  int error = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  if (error == 0 && stack_size != 0) error = pthread_attr_setstacksize(&attributes, stack_size);
  if (error == 0) {
    const signals_blocked during;
    const core::thread_request native{.native = true};
    const core::making_thread asked(native);
    pthread_t made;
    error = pthread_create(&made, &attributes, run, argument);
  }
  pthread_attr_destroy(&attributes);
  return error;
}

}  // namespace weft::task_layer
