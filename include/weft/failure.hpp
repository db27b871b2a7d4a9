// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <string_view>

namespace weft {

/// The exception that ended a fiber, when its last handle has gone and nobody asked for it (`get`, `exception`).
struct fiber_failure {
  std::exception_ptr exception;
  std::uint64_t fiber_id = 0;
  std::string_view fiber_name;
};

/// Is told of failures that nobody asked for. May not throw: that ends the program.
using failure_handler = void (*)(const fiber_failure&) noexcept;

/// Has @p handler called instead of a message on standard error ("weft: fiber 7 'reader' has failed: ..."); nullptr brings
/// the message back. @return the handler before
///
/// It is called once for each failure: on the fiber itself at its end, or by whoever lets go of its last handle.
///
/// Threads   Safe from any; the handler may be called on several at once.
failure_handler set_failure_handler(failure_handler handler) noexcept;

}  // namespace weft
