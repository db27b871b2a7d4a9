// SPDX-License-Identifier: MIT
#pragma once

namespace weft {

/// How a process ended: what wait(2) tells, as a value.
///
/// Unknown is what is left when somebody else took the status first, or SIGCHLD is ignored (then the kernel keeps none).
class exit_status {
 public:
  /// Unknown.
  constexpr exit_status() noexcept = default;
  /// Of the word that waitpid(2) stores, for a process that has ended.
  static constexpr exit_status from_wait(int word) noexcept {
    exit_status s;
    s.known_ = true;
    s.word_ = word;
    return s;
  }

  constexpr bool known() const noexcept { return known_; }
  /// Whether it called exit or returned from main; `code` is what it gave then, 0 to 255, and 0 otherwise.
  constexpr bool exited() const noexcept { return known_ && (word_ & 0x7f) == 0; }
  constexpr int code() const noexcept { return exited() ? word_ >> 8 & 0xff : 0; }
  /// Whether a signal killed it; `signal` says which, 0 otherwise.
  constexpr bool signaled() const noexcept { return known_ && (word_ & 0x7f) != 0; }
  constexpr int signal() const noexcept { return signaled() ? word_ & 0x7f : 0; }
  constexpr bool core_dumped() const noexcept { return signaled() && (word_ & 0x80) != 0; }

  /// Exited with 0.
  constexpr bool success() const noexcept { return exited() && code() == 0; }
  /// As a shell has it in $?: the code, or 128 and the signal; 127 if unknown.
  constexpr int shell_code() const noexcept { return exited() ? code() : signaled() ? 128 + signal() : 127; }

  friend constexpr bool operator==(const exit_status&, const exit_status&) noexcept = default;

 private:
  int word_ = 0;
  bool known_ = false;
};

}  // namespace weft
