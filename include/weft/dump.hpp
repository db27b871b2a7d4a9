// SPDX-License-Identifier: MIT
#pragma once

namespace weft {

/// Prints every fiber of every hub: its number, its name, what it does or waits for and for how much longer, and the stack of each that
/// waits. For the programmer who asks why nothing goes on: from a handler of SIGQUIT, a watchdog, or the debugger (`call (void)weft::dump()`).
///
///     std::signal(SIGQUIT, [](int) { weft::dump(); });
///
/// It goes where Weft's messages go: standard error, or the file that WEFT_LOG names. What a stack says are addresses in objects, for
/// addr2line(1).
///
/// Blocking  Never. Each hub prints its own fibers as soon as it comes to it, the caller's once the caller waits. A hub that a fiber
///           does not let go of prints nothing before that: which of them is missing says where to look.
/// Threads   From any thread, and from signal handlers.
/// Cost      None until it is called. Then each hub does nothing else until it has printed.
void dump() noexcept;

}  // namespace weft
