// SPDX-License-Identifier: MIT
#include "shim/cli/program.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>

#include "base/words.hpp"

namespace weft::shim::cli {
namespace {

// The kernel gives up after this many interpreters (fs/exec.c).
constexpr std::size_t deepest = 5;

// "" if the file can be executed.
std::string why_not(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return path + ": " + std::strerror(errno);
  if (S_ISDIR(status.st_mode)) return path + " is a directory";
  if (!S_ISREG(status.st_mode)) return path + " is no regular file";
  if (access(path.c_str(), X_OK) != 0) return path + " may not be executed; chmod +x";
  return {};
}

std::string find_in_path(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* const variable = getenv("PATH");
  std::string_view folders(variable != nullptr ? variable : "/bin:/usr/bin");
  while (!folders.empty()) {
    const std::string_view folder = base::take(folders, ':');
    std::string candidate = (folder.empty() ? "." : std::string(folder)) + "/" + name;
    if (why_not(candidate).empty()) return candidate;
  }
  return {};
}

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

// The interpreter that a file's first line names; what env(1) would look up when it is env. "" for no script.
std::string interpreter_of(const std::string& path) {
  std::string first(256, '\0');  // as much as the kernel looks at
  std::ifstream file(path, std::ios::binary);
  file.read(first.data(), static_cast<std::streamsize>(first.size()));
  first.resize(static_cast<std::size_t>(file.gcount()));
  if (!first.starts_with("#!")) return {};
  std::string_view line = std::string_view(first).substr(2);
  line = line.substr(0, line.find('\n'));
  std::string_view word = next_word(line);
  std::string named(word);
  if (base::last_component(word) != "env") return named;
  do {
    word = next_word(line);
  } while (word.starts_with('-') || word.find('=') != std::string_view::npos);
  const std::string found = word.empty() ? std::string() : find_in_path(std::string(word));
  return found.empty() ? named : found;
}

bool starts_as_elf(const std::string& path) {
  char magic[4] = {};
  std::ifstream(path, std::ios::binary).read(magic, sizeof magic);
  return std::memcmp(magic, "\177ELF", sizeof magic) == 0;
}

}  // namespace

resolved_program resolve_program(const std::string& name) {
  resolved_program result;
  std::string path = find_in_path(name);
  if (path.empty()) {
    result.problem = name + " is not in PATH; give its path";
    return result;
  }
  while (true) {
    result.problem = why_not(path);
    if (!result.problem.empty()) return result;
    std::string interpreter = interpreter_of(path);
    // execvp(3) gives what the kernel does not know to the shell.
    if (interpreter.empty() && !starts_as_elf(path)) interpreter = "/bin/sh";
    if (interpreter.empty()) break;
    if (result.scripts.size() == deepest) {
      result.problem = path + ": too many interpreters, one behind the other";
      return result;
    }
    result.scripts.push_back({path, interpreter});
    path = interpreter;
  }
  result.path = path;
  return result;
}

}  // namespace weft::shim::cli
