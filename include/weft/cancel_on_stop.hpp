// SPDX-License-Identifier: MIT
#pragma once

#include <stop_token>

#include "weft/cancelled.hpp"
#include "weft/detail/cancel_record.hpp"

namespace weft {

/// Ties a foreign std::stop_token to the fiber: while this lives, a stop is thrown as `cancelled` at its next suspension point.
///
/// For a fiber's own end use `kill`; a function that takes a std::stop_token is given one by `spawn`.
///
///     void serve(std::stop_token stop) {
///       weft::cancel_on_stop tied(stop);
///       for (;;) answer(requests.receive());  // leaves by `cancelled` when somebody asks for a stop
///     }
///
/// Cancel    Thrown once, also if the stop came before this was made.
/// Threads   On the stack of the fiber that it cancels; the stop may be requested from any thread. On a thread that has no hub
///           yet, this makes one for it.
/// @throws std::system_error  from the constructor: that hub cannot be made
class cancel_on_stop {
 public:
  explicit cancel_on_stop(const std::stop_token& stop) : entered_(record_), callback_(stop, request{&record_}) {}
  cancel_on_stop(const cancel_on_stop&) = delete;
  cancel_on_stop& operator=(const cancel_on_stop&) = delete;

 private:
  struct request {
    detail::cancel_record* record;
    void operator()() const noexcept { record->request(); }
  };
  detail::cancel_record record_{[](detail::cancel_record&) { throw cancelled(); }};
  // Left when the callback is gone: a stop on another thread may be in it.
  detail::entered_record entered_;
  std::stop_callback<request> callback_;
};

}  // namespace weft
