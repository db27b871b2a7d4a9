// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>

namespace weft {

/// What `get` of a task or a future throws if it was cancelled: before it ran, or while it did. Not `cancelled`, because who
/// asks for the result is not the one who was cancelled.
class task_cancelled : public std::runtime_error {
 public:
  task_cancelled();
  ~task_cancelled() override;
};

}  // namespace weft
