// SPDX-License-Identifier: MIT
#include "io/spawn_actions.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <system_error>

#include "loop/loop.hpp"

namespace weft {

namespace {

void check(int error, const char* what) {
  if (error != 0) throw std::system_error(error, std::system_category(), what);
}

// The child tells the error, not which of its steps it was.
bool is_error_of_folder(int error, const std::string& folder) {
  return !folder.empty() && ::faccessat(AT_FDCWD, (folder + "/.").c_str(), X_OK, AT_EACCESS) != 0 && errno == error;
}

// What exec takes: pointers, with a null behind them.
std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& w : words) {
    if (w.find('\0') != std::string::npos) check(EINVAL, "weft: a word of a command or environment with a zero byte");
    pointers.push_back(const_cast<char*>(w.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

child_actions::child_actions(const process_options& options) : options_(options) {
  check(posix_spawn_file_actions_init(&actions_), "weft: posix_spawn");
  if (const int error = posix_spawnattr_init(&attributes_)) {
    posix_spawn_file_actions_destroy(&actions_);
    check(error, "weft: posix_spawn");
  }
  try {
    redirect(options.in, 0);
    redirect(options.out, 1);
    redirect(options.err, 2);
    pass_descriptors();
    set_attributes();
    if (!options.cwd.empty()) {
      check(posix_spawn_file_actions_addchdir_np(&actions_, options.cwd.c_str()), "weft: posix_spawn");
    }
  } catch (...) {
    this->~child_actions();
    throw;
  }
}

child_actions::~child_actions() {
  posix_spawn_file_actions_destroy(&actions_);
  posix_spawnattr_destroy(&attributes_);
  for (const int fd : ours_) ::close(fd);
  for (const int fd : ends) {
    if (fd >= 0) ::close(fd);
  }
}

void child_actions::redirect(const stdio& what, int number) {
  switch (what.how_) {
    case stdio::how::inherit:
      return;
    case stdio::how::null:
      return check(posix_spawn_file_actions_addopen(&actions_, number, "/dev/null", O_RDWR, 0), "weft: posix_spawn");
    case stdio::how::output:
      if (number != 2) check(EINVAL, "weft: stdio::output() is for the error stream");
      return check(posix_spawn_file_actions_adddup2(&actions_, 1, 2), "weft: posix_spawn");
    case stdio::how::descriptor:
      return check(posix_spawn_file_actions_adddup2(&actions_, keep_clear(what.fd_), number), "weft: posix_spawn");
    case stdio::how::pipe:
      return check(posix_spawn_file_actions_adddup2(&actions_, make_pipe(number), number), "weft: posix_spawn");
  }
}

// @return the child's end, which stays ours to close
int child_actions::make_pipe(int number) {
  int fds[2];
  ours_.reserve(ours_.size() + 2);
  if (pipe2(fds, O_CLOEXEC) != 0) check(errno, "weft: a pipe to a child");
  const int theirs = number == 0 ? 0 : 1;
  ours_.push_back(fds[theirs]);
  ends[number] = fds[1 - theirs];
  return keep_clear(fds[theirs]);
}

// The child's numbers are filled one after the other: a source must not have one of them, or it might be overwritten before
// its turn. @return @p fd, or a copy out of the way
int child_actions::keep_clear(int fd) {
  const auto is_target = [fd](const std::pair<int, int>& d) { return d.first == fd; };
  const bool in_the_way =
      (fd >= 0 && fd <= 2) || std::any_of(options_.descriptors.begin(), options_.descriptors.end(), is_target);
  if (!in_the_way) return fd;
  int lowest = 3;
  for (const auto& d : options_.descriptors)
    lowest = std::max(lowest, std::min(d.first, std::numeric_limits<int>::max() - 1) + 1);
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, lowest);
  if (copy < 0) check(errno, "weft: a descriptor for a child");
  ours_.push_back(copy);
  return copy;
}

void child_actions::pass_descriptors() {
  std::vector<int> numbers;
  for (const auto& [number, fd] : options_.descriptors) {
    if (number < 3) check(EINVAL, "weft: the standard streams of a child have options of their own");
    check(posix_spawn_file_actions_adddup2(&actions_, keep_clear(fd), number), "weft: posix_spawn");
    numbers.push_back(number);
  }
  if (!options_.close_others) return;
  std::sort(numbers.begin(), numbers.end());
  int next = 3;
  for (const int number : numbers) {
    for (; next < number; ++next) check(posix_spawn_file_actions_addclose(&actions_, next), "weft: posix_spawn");
    next = number + 1;
  }
  check(posix_spawn_file_actions_addclosefrom_np(&actions_, next), "weft: posix_spawn");
}

void child_actions::set_attributes() {
  sigset_t none, to_default;
  sigemptyset(&none);
  sigemptyset(&to_default);
  sigaddset(&to_default, SIGPIPE);  // who has it ignored does so for its own sake
  int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (options_.new_session) flags |= POSIX_SPAWN_SETSID;
  if (options_.new_group || options_.group != 0) flags |= POSIX_SPAWN_SETPGROUP;
  posix_spawnattr_setsigmask(&attributes_, &none);
  posix_spawnattr_setsigdefault(&attributes_, &to_default);
  posix_spawnattr_setpgroup(&attributes_, options_.group);
  posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
}

pid_t child_actions::spawn(const std::vector<std::string>& command) {
  if (command.empty()) check(EINVAL, "weft: a process without a command");
  const std::vector<char*> words = pointers_to(command);
  const std::vector<char*> variables = options_.environment ? pointers_to(*options_.environment) : std::vector<char*>();
  char* const* const environment = options_.environment ? variables.data() : environ;
  pid_t pid = -1;
  const auto make = options_.search_path ? posix_spawnp : posix_spawn;
  const int error = make(&pid, words[0], &actions_, &attributes_, words.data(), environment);
  if (error != 0 && is_error_of_folder(error, options_.cwd)) check(error, ("weft: the folder " + options_.cwd).c_str());
  check(error, words[0]);
  return pid;
}

}  // namespace weft
