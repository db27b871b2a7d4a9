// SPDX-License-Identifier: MIT
#pragma once

#include "weft/detail/cancel_record.hpp"
#include "weft/fiber.hpp"
#include "weft/this_fiber.hpp"

namespace weft::testing_support {

/// What `cancels` makes a suspension point throw.
struct stopped {};

/// Calls @p wait and cancels it as soon as all that it has started waits, too. @return whether it ended by that
template <class F>
bool cancels(F&& wait) {
  detail::cancel_record request([](detail::cancel_record&) { throw stopped(); });
  request.enter();
  const fiber canceller = spawn([&request] {
    this_fiber::idle();
    request.request();
  });
  bool was_cancelled = false;
  try {
    wait();
  } catch (const stopped&) {
    was_cancelled = true;
  }
  request.leave();
  canceller.join();
  return was_cancelled;
}

}  // namespace weft::testing_support
