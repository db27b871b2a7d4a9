// SPDX-License-Identifier: MIT
#pragma once

namespace weft::tasks {

/// How a worker is started: the program, this argument, the limit of a message; its socket has this number.
inline constexpr char worker_argument[] = "--weft-worker-process";
inline constexpr int worker_fd = 3;

/// Whether main has called `run_if_worker`.
bool main_serves_workers() noexcept;

}  // namespace weft::tasks
