// SPDX-License-Identifier: MIT
#pragma once

namespace weft::shim {

/// Gives the calling carrier a stack for faults: the thread's own may be what is exhausted.
void arm_fault_stack(unsigned hub_index) noexcept;

}  // namespace weft::shim
