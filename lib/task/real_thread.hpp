// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace weft::task_layer {

/// Makes a detached OS thread that calls @p run. Signals are for the program's threads: it has all blocked but those of faults.
/// @param stack_size  0: the system's default. @return 0, or an errno
int start_thread(void* (*run)(void*), void* argument, std::size_t stack_size) noexcept;

}  // namespace weft::task_layer
