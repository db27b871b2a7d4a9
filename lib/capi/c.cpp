// SPDX-License-Identifier: MIT
#include "weft/c.h"

#include <poll.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include "weft/fiber.hpp"
#include "weft/io.hpp"
#include "weft/shield.hpp"

struct weft_fiber {
  weft::task<void*> task;
};

namespace {

using weft::deadline;

// No exception may pass a caller that is written in C.
template <class F>
int guarded(F&& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  } catch (const std::system_error& error) {
    return -error.code().value();
  } catch (...) {
    return -ECANCELED;  // `cancelled`, or what somebody chose instead
  }
}

weft::task<void*> start(weft_function function, void* argument, const weft_attributes& attributes) {
  return weft::spawn({.name = attributes.name, .stack_size = attributes.stack_size},
                     [=]() noexcept { return function(argument); });
}

// Of a fiber that has ended.
void* result_of(const weft::task<void*>& task) {
  return weft::detail::fiber_cancelled(task.block()) ? WEFT_CANCELED : task.get();
}

}  // namespace

weft_deadline weft_after(int64_t ns) { return deadline(std::chrono::nanoseconds(ns)).ns(); }

int weft_spawn(weft_fiber** fiber, weft_function function, void* argument, const weft_attributes* attributes) {
  if (function == nullptr) return -EINVAL;
  return guarded([&] {
    auto handle = fiber == nullptr ? nullptr : std::make_unique<weft_fiber>();
    auto task = start(function, argument, attributes == nullptr ? weft_attributes{} : *attributes);
    if (handle != nullptr) {
      handle->task = std::move(task);
      *fiber = handle.release();
    }
    return 0;
  });
}

int weft_join(weft_fiber* fiber, void** result, weft_deadline by) {
  if (fiber == nullptr) return -EINVAL;
  return guarded([&] {
    if (fiber->task.get_id() == weft::this_fiber::get_id()) return -EDEADLK;
    if (!fiber->task.join(deadline::from_ns(by))) return -ETIMEDOUT;
    if (result != nullptr) *result = result_of(fiber->task);
    delete fiber;
    return 0;
  });
}

void weft_detach(weft_fiber* fiber) { delete fiber; }

void weft_cancel(weft_fiber* fiber) {
  if (fiber != nullptr) fiber->task.request_kill();
}

int weft_run(weft_function function, void* argument, void** result) {
  if (function == nullptr) return -EINVAL;
  return guarded([&] {
    const auto task = start(function, argument, {});
    const weft::shield guard;
    task.join();
    if (result != nullptr) *result = result_of(task);
    return 0;
  });
}

int weft_sleep(weft_deadline by) {
  return guarded([&] {
    weft::this_fiber::sleep_until(deadline::from_ns(by));
    return 0;
  });
}

int weft_yield() {
  return guarded([] {
    weft::this_fiber::yield();
    return 0;
  });
}

int weft_wait_fd(int fd, short events, weft_deadline by) {
  return guarded([&]() -> int {
    const short found = weft::wait_ready(fd, events, deadline::from_ns(by));
    if ((found & POLLNVAL) != 0) return -EBADF;
    return found == 0 ? -ETIMEDOUT : found;
  });
}

int weft_close(int fd) { return weft::close(fd) == 0 ? 0 : -errno; }
