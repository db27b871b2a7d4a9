// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "base/text.hpp"

namespace weft::base {

/// A message in the making: `message m; m << "no stack for " << n << " threads"; say(m);`.
using message = fixed_text<512>;

/// Decides where messages go from now on: appended to @p log_file, or to standard error if it is null or empty.
///
/// The log's descriptor is close-on-exec and has a high number, so that the program's next `open` returns what it would
/// without us. Until this is called messages go to standard error.
/// @return false if the file cannot be opened; messages then go to standard error, and one says so.
bool open_messages(const char* log_file) noexcept;

/// Writes "weft[pid]: " and @p line, as one system call, with a newline.
///
/// Allocates nothing, takes no lock, keeps errno: fit for hooks and signal handlers. Never writes into the program's
/// own conversation: a standard error that is a socket (inetd) or was closed at start is left alone, and so is
/// a descriptor that the program put in the place of the log's. A reader that went away raises no SIGPIPE.
void say(std::string_view line) noexcept;
inline void say(const text& line) noexcept { say(line.view()); }

/// Writes @p block as it is, to where messages go.
void write_block(std::string_view block) noexcept;

/// Writes @p block at the end of the file @p path, which is made if need be.
/// @return 0 or -errno
long append_block(const char* path, std::string_view block) noexcept;

/// @return the log's descriptor, which the program must not see or close; -1 if there is none.
int message_fd() noexcept;

}  // namespace weft::base
