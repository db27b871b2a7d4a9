// SPDX-License-Identifier: MIT
#pragma once

#include "base/config.hpp"
#include "shim/dispatch.hpp"

namespace weft::shim {

struct table_row {
  long nr;
  handler handle;
  base::patch_group group;
};

/// From now on the system calls of @p groups reach their handlers, and those that threads cannot be fibers without. What only waits
/// and is of another group is left to the kernel: the hub stands still meanwhile, and the others have a turn afterwards.
void use_groups(base::patch_groups groups) noexcept;

/// The handler in force of @p nr; `pass_call` for those that have none.
handler handler_of(long nr) noexcept;

/// The same for a fiber that wants what only waits to be done by the kernel, while its hub stands still.
handler native_handler_of(long nr) noexcept;

// Three handlers that have the kernel do the call as it is: of those that have no other, of what only waits by a fiber that wants so,
// and of what only waits and is of a group that was left out.
long pass_call(call& c) noexcept;
long wait_natively(call& c) noexcept;
long wait_natively_in_turn(call& c) noexcept;

}  // namespace weft::shim
