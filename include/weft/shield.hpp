// SPDX-License-Identifier: MIT
#pragma once

#include "weft/detail/cancel_record.hpp"

namespace weft {

/// While it lives, nothing from outside cancels the fiber that made it: for the few steps that must not be cut in two.
///
///     {
///       weft::shield guard;
///       journal.append(entry);  // a kill waits until both have been done
///       journal.flush();
///     }
///
/// Timeouts and cancel scopes that begin inside are not hidden. What becomes due meanwhile is thrown at the first suspension
/// point behind it. Destructors need none: while an exception unwinds nothing is thrown anyway.
///
/// Threads   On the stack of the fiber that it protects. On a thread without a hub, which nothing cancels, it does nothing.
/// Cost      A few stores; waits inside look at one more record.
class shield {
 public:
  shield() noexcept;
  shield(const shield&) = delete;
  shield& operator=(const shield&) = delete;
  ~shield() { record_.leave(); }

 private:
  detail::cancel_record record_{nullptr, true};
};

}  // namespace weft
