// SPDX-License-Identifier: MIT
// In a patched process: what is spawned runs as a thread of libc's making, whose clone the shim turns into a fiber.
#include <pthread.h>
#include <unistd.h>

#include <cstring>

#include "core/cancel.hpp"
#include "core/fork.hpp"
#include "core/patching.hpp"
#include "core/scheduler.hpp"
#include "task/block.hpp"
#include "weft/detail/fiber_block.hpp"

namespace weft::task_layer {

namespace {

// A thread_local variable that comes first goes last: who joins sees what the destructors of the others have done.
struct end_of_thread {
  core::fiber* runner = nullptr;
  ~end_of_thread() {
    if (runner == nullptr) return;
    task_block& b = *task_of(*runner);
    end_body(b);
    runner->task = nullptr;
    detail::release_fiber(&b);
  }
};
thread_local end_of_thread end_of_this_thread;

void* thread_main(void* argument) {
  task_block& b = *static_cast<task_block*>(argument);
  core::fiber& me = core::self();
  end_of_this_thread.runner = nullptr;  // makes it; who calls exit goes by its destructor, too
  // Until its start it can be killed, and never runs.
  if (b.due != 0) core::park_cancellable(core::prepare_park(), b.due, core::wait_kind::sleep, nullptr);
  b.call(b.body);
  if (weft_this_hub != b.home) core::end_of_survivor();
  core::return_kill(me);
  end_of_this_thread.runner = &me;
  return nullptr;
}

// What libc puts on a stack besides what the program uses: guard, thread-local storage, its own block.
std::size_t stack_for(std::size_t usable) noexcept {
  constexpr std::size_t page = 4096;
  const long least = sysconf(_SC_THREAD_STACK_MIN);
  const std::size_t extra = least > 0 ? static_cast<std::size_t>(least) : 4 * page;
  return (usable + extra + 2 * page - 1) / page * page;
}

}  // namespace

int launch_thread(task_block& b, const fiber_attributes& attributes) noexcept {
  pthread_attr_t how;
  if (const int error = pthread_attr_init(&how); error != 0) return error;
  int error = pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
  if (error == 0 && attributes.stack_size != 0)
    error = pthread_attr_setstacksize(&how, stack_for(attributes.stack_size));
  if (error == 0) {
    if (attributes.name != nullptr) std::strncpy(b.name, attributes.name, sizeof b.name - 1);
    b.due = attributes.start.ns();
    const core::thread_request task{.task = &b};
    const core::making_thread asked(task);
    pthread_t made;
    error = pthread_create(&made, &how, thread_main, &b);
  }
  pthread_attr_destroy(&how);
  return error;
}

}  // namespace weft::task_layer
