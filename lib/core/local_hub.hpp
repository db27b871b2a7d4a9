// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

#include "core/hub.hpp"

namespace weft::core {

/// Makes a hub for the calling thread, which has none.
/// @throws std::system_error when the kernel gives no descriptors or memory for it
hub& make_local_hub();

/// Called on a thread that ends, with the hub that it leaves: who depends on events of that hub is to get them elsewhere. Filled
/// by the layer above.
extern std::atomic<void (*)(hub& h) noexcept> before_hub_is_left;

/// Gives @p h's loop fiber the stack and the first context of a library program's. @return false when memory is short
bool give_loop_context(hub& h) noexcept;

/// The calling thread's hub, made for it at the first need: what a library program runs on.
inline hub& local_hub() { return weft_this_hub != nullptr ? *weft_this_hub : make_local_hub(); }

}  // namespace weft::core
