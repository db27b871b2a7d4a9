// SPDX-License-Identifier: MIT
#pragma once

#include <climits>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.hpp"

namespace weft::base {

/// What of the program is made cooperative. A group that is left out goes to the kernel as it is: such a
/// call, if it blocks, holds up its whole hub.
enum class patch_group : std::uint32_t {
  thread = 1U << 0,   ///< clone, clone3, exit, futex, tids: pthreads become green threads. Without it there are none.
  socket = 1U << 1,   ///< accept, connect, send and recv families, read and write on sockets
  pipe = 1U << 2,     ///< read and write on pipes, FIFOs, ttys, eventfd, timerfd, signalfd, inotify
  file = 1U << 3,     ///< flock, fcntl(F_SETLKW) and other waits on files
  time = 1U << 4,     ///< nanosleep, clock_nanosleep
  select = 1U << 5,   ///< the poll, select and epoll families
  signal = 1U << 6,   ///< handlers, masks, sigwait and sigsuspend families, pause, aimed signals
  process = 1U << 7,  ///< fork, vfork, exec, wait4, waitid
  memory = 1U << 8,   ///< thread stacks from slabs instead of two mappings each
};

struct patch_groups {
  std::uint32_t bits = all_bits;

  constexpr bool has(patch_group group) const noexcept { return (bits & static_cast<std::uint32_t>(group)) != 0; }

  static constexpr std::uint32_t all_bits = (1U << 9) - 1;
};

/// A name that `--patch` understands: the group's own or another word for it.
struct patch_name {
  const char* name;
  patch_group group;
  bool alias;
  const char* help;  ///< what the group stands for; null for an alias
};
std::span<const patch_name> patch_names() noexcept;

enum class option_id { enabled, hubs, stack_size, patch, follow, report, log, exclude };
enum class option_value { none, required, optional };

/// One option: the same thing has a flag of `weft run` and an environment variable of the preloaded library.
struct option {
  option_id id;
  const char* flag;  ///< null when only the variable exists
  option_value value;
  const char* placeholder;  ///< how help names the value
  const char* variable;
  const char* initial;  ///< the default, in words
  const char* help;
};
std::span<const option> options() noexcept;
const option& find_option(option_id id) noexcept;

/// What the options say. The texts are copies, since a program may overwrite its own environment.
struct config {
  bool enabled = true;
  bool follow = true;  ///< children inherit the preload
  bool report = false;
  unsigned hubs = 0;           ///< 0: as many as `usable_cpus()` says when threads begin
  std::size_t stack_size = 0;  ///< of a thread that asked for none; 0: as libc would
  patch_groups groups;
  char report_file[PATH_MAX] = {};  ///< empty: standard error
  char log_file[PATH_MAX] = {};     ///< empty: standard error
  char exclude[1024] = {};          ///< programs to leave alone, separated by commas
};

inline constexpr unsigned most_hubs = 256;
inline constexpr std::size_t least_stack = 32 * 1024;
inline constexpr std::size_t most_stack = std::size_t{1} << 34;

/// Sets one option from @p value.
/// @return false if @p value means nothing; @p into is then as it was, and @p problem says what to give instead.
bool parse_option(config& into, option_id id, std::string_view value, text& problem) noexcept;

/// Reads every option's variable from @p envp. An empty variable is as good as none.
/// @return false if some value meant nothing; its option then keeps the default, and @p problems has a line on each.
bool parse_environment(config& into, const char* const* envp, text& problems) noexcept;

/// @return whether the list WEFT_EXCLUDE names @p program (a path, or null), by whole path or by last component.
bool is_excluded(const config& from, const char* program) noexcept;

}  // namespace weft::base
