// SPDX-License-Identifier: MIT
#include "weft/task.hpp"

#include <system_error>

#include "task/block.hpp"
#include "weft/this_fiber.hpp"

namespace weft {

bool fiber::kill(std::exception_ptr with, deadline by) const {
  if (block_ == nullptr) return false;
  request_kill(std::move(with));
  if (task_layer::is_running(block_)) this_fiber::interruption_point();
  return join(by);
}

void detail::require_result(core::fiber* f, deadline by) {
  if (f == nullptr || task_layer::is_running(f)) {
    throw std::system_error(std::make_error_code(std::errc::invalid_argument), "weft: get of no fiber, or of itself");
  }
  if (!join_fiber(f, by)) throw std::system_error(std::make_error_code(std::errc::timed_out), "weft: get of a fiber");
  if (fiber_cancelled(f)) throw task_cancelled();
  if (const std::exception_ptr failure = fiber_failure(f)) std::rethrow_exception(failure);
}

}  // namespace weft
