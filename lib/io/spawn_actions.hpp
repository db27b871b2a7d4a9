// SPDX-License-Identifier: MIT
#pragma once

#include <spawn.h>

#include "weft/process.hpp"

namespace weft {

/// What posix_spawn(3) is told to do in the child, made of `process_options`.
class [[gnu::visibility("hidden")]] child_actions {
 public:
  /// @throws std::system_error, std::bad_alloc
  explicit child_actions(const process_options& options);
  child_actions(const child_actions&) = delete;
  child_actions& operator=(const child_actions&) = delete;
  ~child_actions();

  /// @return the child's number. @throws std::system_error
  pid_t spawn(const std::vector<std::string>& command);

  /// Our ends of its pipes; blocking, -1 for none. Who takes one sets it to -1.
  int ends[3] = {-1, -1, -1};

 private:
  void redirect(const stdio& what, int number);
  int make_pipe(int number);
  int keep_clear(int fd);
  void set_attributes();
  void pass_descriptors();

  const process_options& options_;
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  std::vector<int> ours_;  // to be closed when the child has been made
};

}  // namespace weft
