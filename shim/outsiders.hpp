// SPDX-License-Identifier: MIT
#pragma once

#include <linux/sched.h>

#include <atomic>

#include "shim/arch/x86_64/frame.hpp"

namespace weft::shim {

struct clone_request;

/// How many threads and processes of the kernel's may run that have the thread pointer of a fiber and are none: each was cloned to share
/// our memory without storage of its own, in a way that is left to the kernel. While there is one, every call asks who makes it.
extern std::atomic<unsigned> outsiders;

/// One that is about to be made, if the clone makes one; it is counted until it has ended. The kernel tells of that by clearing a word, if the
/// clone leaves that to us: CLONE_CHILD_CLEARTID (kernel/fork.c, mm_release) is done when a thread has left its memory, by an end or an exec.
/// Where the program has words of its own for the child (a child may say so later, by set_tid_address), or there are too many at one time, it
/// counts for ever.
class expected_outsider {
 public:
  /// @param args  the clone's arguments: changed so that the kernel tells. They may refer to this object.
  expected_outsider(const frame& f, const clone_request& request, unsigned long (&args)[6]) noexcept;
  expected_outsider(const expected_outsider&) = delete;
  expected_outsider& operator=(const expected_outsider&) = delete;
  /// The clone failed.
  void is_none() noexcept;

 private:
  bool counted_ = false;
  int* word_ = nullptr;
  clone_args changed_{};
};

/// Whether the caller is one: its hub, by its thread pointer, belongs to another OS thread. Looks after those that have ended.
bool is_outsider() noexcept;
/// In a fork's child, which has none.
void forget_outsiders() noexcept;

}  // namespace weft::shim
