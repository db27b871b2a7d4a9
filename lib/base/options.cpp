// SPDX-License-Identifier: MIT
#include <array>

#include "base/config.hpp"

namespace weft::base {
namespace {

// Read before any constructor of this library has run: both tables are constants.
constexpr std::array option_table{
    option{option_id::hubs, "--hubs", option_value::required, "N|auto", "WEFT_HUBS", "auto",
           "OS threads to run the program's threads on; auto: the CPUs it may use, by affinity and cgroup quota"},
    option{option_id::stack_size, "--stack-size", option_value::required, "SIZE", "WEFT_STACK_SIZE", "as libc",
           "stack of a thread that asks for no size of its own, such as 64K or 1M (32K at least)"},
    option{option_id::patch, "--patch", option_value::required, "LIST", "WEFT_PATCH", "all",
           "groups of system calls to make cooperative, such as all,-file or thread,socket,time"},
    option{option_id::follow, "--no-follow", option_value::none, nullptr, "WEFT_FOLLOW", "1",
           "leave programs that the program starts alone"},
    option{option_id::report, "--report", option_value::optional, "FILE", "WEFT_REPORT", "no",
           "print counters at exit, on standard error or appended to FILE"},
    option{option_id::log, "--log", option_value::required, "FILE", "WEFT_LOG", "standard error",
           "append messages to FILE"},
    option{option_id::exclude, "--exclude", option_value::required, "LIST", "WEFT_EXCLUDE", "none",
           "programs to leave alone, by name or path, separated by commas"},
    option{option_id::enabled, nullptr, option_value::none, nullptr, "WEFT", "1", "WEFT=0 switches everything off"},
};

constexpr std::array name_table{
    patch_name{"thread", patch_group::thread, false, "threads, their locks and ids; without it nothing is green"},
    patch_name{"socket", patch_group::socket, false, "accept, connect, and reads and writes on sockets"},
    patch_name{"pipe", patch_group::pipe, false, "reads and writes on pipes, terminals, eventfd, timerfd, inotify"},
    patch_name{"file", patch_group::file, false, "waits for file locks"},
    patch_name{"time", patch_group::time, false, "sleeps"},
    patch_name{"select", patch_group::select, false, "poll, select and epoll"},
    patch_name{"signal", patch_group::signal, false, "handlers, masks, sigwait, pause"},
    patch_name{"process", patch_group::process, false, "fork, exec and waits for children"},
    patch_name{"memory", patch_group::memory, false, "thread stacks from slabs"},
    patch_name{"futex", patch_group::thread, true, nullptr},
    patch_name{"sleep", patch_group::time, true, nullptr},
    patch_name{"poll", patch_group::select, true, nullptr},
    patch_name{"epoll", patch_group::select, true, nullptr},
    patch_name{"subprocess", patch_group::process, true, nullptr},
    patch_name{"os", patch_group::process, true, nullptr},
    patch_name{"fork", patch_group::process, true, nullptr},
    patch_name{"stack", patch_group::memory, true, nullptr},
};

}  // namespace

std::span<const option> options() noexcept { return option_table; }

std::span<const patch_name> patch_names() noexcept { return name_table; }

const option& find_option(option_id id) noexcept {
  for (const option& each : option_table) {
    if (each.id == id) return each;
  }
  __builtin_unreachable();
}

}  // namespace weft::base
