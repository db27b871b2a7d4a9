// SPDX-License-Identifier: MIT
// Children of light fibers in a patched process: the signals that they block, and vfork.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <thread>

#include "own_process.hpp"
#include "weft/patch.hpp"
#include "weft/weft.hpp"

namespace {

using weft::test::in_a_process;

/// Runs @p body in a light fiber of each of two hubs, one after the other, in a process of its own that is patched.
void on_both_hubs(const std::function<void()>& body) {
  in_a_process([&] {
    ASSERT_TRUE(weft::patch::all());
    weft::run({.hubs = 2}, [&] {
      for (const weft::hub on : weft::hubs()) {
        weft::spawn({.on = on, .weight = weft::fiber_weight::light}, [&] {
          SCOPED_TRACE(on == weft::hubs()[0] ? "the first hub" : "the second hub");
          body();
        }).join();
      }
    });
  });
}

sigset_t set_of(int sig) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, sig);
  return set;
}

bool blocks(int sig) {
  sigset_t now;
  EXPECT_EQ(pthread_sigmask(SIG_BLOCK, nullptr, &now), 0);
  return sigismember(&now, sig) == 1;
}

bool exits_well(pid_t child) {
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

const char* const succeeds[] = {"/bin/true", nullptr};
// Programs that succeed if they are started with such a mask.
const char* const blocks_none[] = {"/bin/grep", "-q", "^SigBlk:.0*$", "/proc/self/status", nullptr};
const char* const blocks_usr1[] = {"/bin/grep", "-q", "^SigBlk:.0*200$", "/proc/self/status", nullptr};

char** words(const char* const* command) { return const_cast<char**>(command); }

bool spawns(const char* const* command) {
  pid_t child = -1;
  EXPECT_EQ(posix_spawn(&child, command[0], nullptr, nullptr, words(command), environ), 0);
  return exits_well(child);
}

// The words of a frame of the caller's that a child on its stack must leave as they are.
__attribute__((noinline)) bool vforks(const char* const* command) {
  volatile long here[16];
  for (int i = 0; i < 16; ++i) here[i] = i;
  const pid_t child = vfork();
  if (child == 0) {
    execv(command[0], words(command));
    _exit(127);
  }
  for (int i = 0; i < 16; ++i) EXPECT_EQ(here[i], i);
  return exits_well(child);
}

TEST(light_child, a_fork_blocks_no_signal_that_the_program_does_not) {
  on_both_hubs([] {
    EXPECT_FALSE(blocks(SIGTERM));
    in_a_process([] {
      EXPECT_FALSE(blocks(SIGTERM));
      EXPECT_FALSE(blocks(SIGUSR1));
      EXPECT_TRUE(spawns(blocks_none));
    });
  });
}

TEST(light_child, a_spawned_program_blocks_none_either) {
  on_both_hubs([] {
    EXPECT_TRUE(spawns(blocks_none));
    EXPECT_EQ(std::system(": $(exec grep -q '^SigBlk:.0*$' /proc/self/status)"), 0);
  });
}

TEST(light_child, inherits_what_its_maker_blocks) {
  on_both_hubs([] {
    const sigset_t usr1 = set_of(SIGUSR1);
    sigset_t before;
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, &usr1, &before), 0);
    EXPECT_TRUE(blocks(SIGUSR1));
    EXPECT_FALSE(blocks(SIGTERM));
    EXPECT_TRUE(spawns(blocks_usr1));
    in_a_process([] {
      EXPECT_TRUE(blocks(SIGUSR1));
      EXPECT_FALSE(blocks(SIGTERM));
    });
    EXPECT_TRUE(vforks(blocks_usr1));
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
    EXPECT_FALSE(blocks(SIGUSR1));
    EXPECT_TRUE(spawns(blocks_none));
  });
}

TEST(light_child, may_be_made_by_vfork) {
  on_both_hubs([] {
    EXPECT_TRUE(vforks(blocks_none));
    EXPECT_TRUE(vforks(blocks_none));
  });
}

TEST(native_child, may_be_made_by_vfork) {
  in_a_process([] {
    ASSERT_TRUE(weft::patch::all());
    EXPECT_TRUE(weft::offload([] { return vforks(succeeds) && vforks(succeeds); }));
  });
}

}  // namespace
