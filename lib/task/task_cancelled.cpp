// SPDX-License-Identifier: MIT
#include "weft/task_cancelled.hpp"

namespace weft {

task_cancelled::task_cancelled() : std::runtime_error("weft: it was cancelled before it had a result") {}
task_cancelled::~task_cancelled() = default;

}  // namespace weft
