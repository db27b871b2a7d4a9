// SPDX-License-Identifier: MIT
#include "launcher/command.hpp"

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace weft::test {
namespace {

// Holds what a command writes, however much, without anyone having to read meanwhile.
class memory_file {
 public:
  explicit memory_file(const std::string& content = {}) : fd_(memfd_create("weft-test", MFD_CLOEXEC)) {
    EXPECT_EQ(pwrite(fd_, content.data(), content.size(), 0), static_cast<ssize_t>(content.size()));
  }
  ~memory_file() { close(fd_); }
  memory_file(const memory_file&) = delete;
  memory_file& operator=(const memory_file&) = delete;

  int fd() const { return fd_; }
  std::string content() const {
    std::string result;
    char room[4096];
    for (ssize_t got; (got = pread(fd_, room, sizeof room, static_cast<off_t>(result.size()))) > 0;) {
      result.append(room, static_cast<std::size_t>(got));
    }
    return result;
  }

 private:
  int fd_;
};

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& each : strings) result.push_back(each.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

outcome run_command(const std::vector<std::string>& words, const circumstances& in) {
  const memory_file input(in.input);
  const memory_file out;
  const memory_file err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.fd(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.fd(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.fd(), STDERR_FILENO);
  std::vector<std::string> environment;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view entry(*each);
    if (!entry.starts_with("LD_PRELOAD=") && !entry.starts_with("WEFT")) environment.emplace_back(entry);
  }
  environment.insert(environment.end(), in.variables.begin(), in.variables.end());
  std::vector<std::string> arguments = words;
  pid_t child = 0;
  const int error = posix_spawnp(&child, arguments[0].c_str(), &actions, nullptr, pointers(arguments).data(),
                                 pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  outcome result;
  EXPECT_EQ(error, 0) << arguments[0];
  if (error != 0) return result;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) result.status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  result.out = out.content();
  result.err = err.content();
  return result;
}

std::string weft_command() { return WEFT_TEST_COMMAND; }

}  // namespace weft::test
