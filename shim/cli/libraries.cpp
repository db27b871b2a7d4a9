// SPDX-License-Identifier: MIT
#include "shim/cli/libraries.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <system_error>

namespace weft::shim::cli {
namespace {

// What makes the loader list and not run, as ldd(1) has it; `ld.so --list` says nothing when a library is missing.
char trace_variable[] = "LD_TRACE_LOADED_OBJECTS=1";

// The environment as it is, but without libraries that someone preloads: they are no part of the program.
std::vector<char*> tracing_environment() {
  std::vector<char*> result;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view entry(*each);
    if (!entry.starts_with("LD_PRELOAD=")) result.push_back(*each);
  }
  result.push_back(trace_variable);
  result.push_back(nullptr);
  return result;
}

std::string read_all(int fd) {
  std::string result;
  char room[4096];
  while (true) {
    const ssize_t got = read(fd, room, sizeof room);
    if (got > 0) {
      result.append(room, static_cast<std::size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      return result;
    }
  }
}

}  // namespace

std::vector<library> parse_library_list(const std::string& text) {
  // Lines are "name => path (address)", "path (address)" and "name => not found".
  std::vector<library> result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    library found;
    std::string arrow;
    if (!(words >> found.name)) continue;
    const std::size_t address = line.rfind(" (0x");
    const std::string_view start(line.data(), address == std::string::npos ? line.size() : address);
    const std::size_t arrow_at = start.find(" => ");
    if (arrow_at != std::string_view::npos) {
      if (address != std::string::npos) found.path = start.substr(arrow_at + 4);
    } else if (found.name.starts_with('/')) {
      found.path = found.name;
    } else {
      continue;  // the vDSO, or a remark
    }
    result.push_back(found);
  }
  return result;
}

bool list_libraries(const std::string& loader, const std::string& path, std::vector<library>& into) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  // In a run $ORIGIN is the folder of the file itself, whatever link was called (the loader asks /proc/self/exe).
  std::error_code unknown;
  const std::filesystem::path file = std::filesystem::canonical(path, unknown);
  std::string words[] = {loader, unknown ? path : file.string()};
  char* const argv[] = {words[0].data(), words[1].data(), nullptr};
  std::vector<char*> environment = tracing_environment();
  pid_t child = 0;
  const int error = posix_spawn(&child, loader.c_str(), &actions, nullptr, argv, environment.data());
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  bool needs_none = false;
  if (error == 0) {
    const std::string list = read_all(ends[0]);
    into = parse_library_list(list);
    needs_none = list.find("statically linked") != std::string::npos;  // what glibc's loader says of those
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
  close(ends[0]);
  return error == 0 && (needs_none || !into.empty());
}

}  // namespace weft::shim::cli
