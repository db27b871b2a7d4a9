// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "base/config.hpp"
#include "shim/dispatch.hpp"

namespace weft::shim {

struct table_row {
  long nr;
  handler handle;
  base::patch_group group;
};

/// The system calls that Weft handles; all others go to the kernel as they are.
std::span<const table_row> table() noexcept;

/// The handler of @p nr; `pass_call` for those that have none.
handler handler_of(long nr) noexcept;

/// The same for a fiber that wants what only waits to be done by the kernel, while its hub stands still.
handler native_handler_of(long nr) noexcept;

/// The handler of calls without one.
long pass_call(call& c) noexcept;

}  // namespace weft::shim
