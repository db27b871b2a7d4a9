// SPDX-License-Identifier: MIT
#include "io/service.hpp"

#include <algorithm>
#include <string>

#include "weft/shield.hpp"

namespace weft::io {

void service::start() {
  if (started_.exchange(true) || stopping.stop_requested()) return;
  const std::size_t count = std::max<std::size_t>(options.hubs.size(), 1);
  for (std::size_t i = 0; i < count; ++i) {
    loops_.take_place();
    try {
      spawn({.name = name_, .on = options.hubs.empty() ? hub::current() : options.hubs[i]},
            [self = shared_from_this(), i] { self->loop(i); });
    } catch (...) {
      loops_.give_place_back();
      if (i == 0) throw;
      report(options.on_error, name_);  // those that run serve
    }
  }
}

void service::loop(std::size_t index) noexcept {
  const crew::member self(loops_);
  try {
    if (!loops_.cancelling()) take_all(index);
  } catch (const cancelled&) {
    // stop() was called
  } catch (...) {
    if (!failed_.exchange(true)) failure_ = std::current_exception();
  }
}

void service::take_all(std::size_t index) {
  back_off pause(options.first_back_off, options.longest_back_off);
  std::size_t in_a_row = 0;
  for (;;) {
    // Before anything is taken: what cannot be served yet waits in the kernel, where another process may take it.
    served.take_place();
    struct place {
      crew& in;
      bool taken = true;
      ~place() {
        if (taken) in.give_place_back();
      }
    } mine{served};
    std::error_code ec;
    try {
      take_next(index, ec);
      if (ec) throw std::system_error(ec, name_);
      mine.taken = false;
      pause.reset();
    } catch (const cancelled&) {
      throw;
    } catch (...) {
      // No descriptors, no memory, no stack: what others hold now they will give back.
      if (stopping.stop_requested()) return;
      if (ec && !is_passing(ec)) throw;
      if (options.on_error || pause.fresh()) report(options.on_error, (std::string(name_) + ": trying again").c_str());
      pause.wait();
      continue;
    }
    if (++in_a_row >= options.accept_budget) {
      in_a_row = 0;
      this_fiber::yield();
    }
  }
}

void service::run(void (*call)(void*), void* handle) noexcept {
  const crew::member self(served);
  if (served.cancelling()) return;
  try {
    call(handle);
  } catch (const cancelled&) {
    // stop() has had enough of it
  } catch (...) {
    report(options.on_error, (std::string(name_) + ": a handler threw").c_str());
  }
}

bool service::join(deadline by) {
  if (!loops_.wait_for_end(by) || !served.wait_for_end(by)) return false;
  if (failure_ != nullptr) std::rethrow_exception(failure_);
  return true;
}

bool service::serve(deadline by) {
  start();
  try {
    return join(by);
  } catch (...) {
    end();
    throw;
  }
}

bool service::stop(deadline grace) {
  stopping.request_stop();
  close_doors();
  loops_.cancel_all();
  bool in_time = false;
  try {
    loops_.wait_for_end(deadline::never());
    in_time = served.wait_for_end(grace);
  } catch (...) {
    // Nobody else would end the handlers at the end of their grace: it is over now.
    end();
    throw;
  }
  if (!in_time) {
    served.cancel_all();
    const shield until_all_have_ended;
    served.wait_for_end(deadline::never());
  }
  all_ended();
  return in_time;
}

void service::end() {
  const shield all_through;
  stop(deadline::from_ns(0));
}

}  // namespace weft::io
