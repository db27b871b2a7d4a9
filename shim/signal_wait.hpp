// SPDX-License-Identifier: MIT
#pragma once

namespace weft::shim {

/// In a fork's child: the hubs' descriptors are closed there.
void forget_signal_watches() noexcept;

}  // namespace weft::shim
