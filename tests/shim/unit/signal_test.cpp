// SPDX-License-Identifier: MIT
// The queues and masks of threads, with no hub that runs and nothing caught by the kernel.
#include <gtest/gtest.h>
#include <unistd.h>

#include <mutex>
#include <thread>
#include <vector>

#include "core/runtime.hpp"
#include "shim/signal_actions.hpp"
#include "shim/signal_catch.hpp"
#include "shim/signal_masks.hpp"
#include "shim/signal_queue.hpp"
#include "shim/signals.hpp"
#include "shim/thread.hpp"

namespace weft::shim {

namespace {
std::mutex table_lock;
std::vector<thread*> table;
}  // namespace

// The rest of the shim, as far as these parts need it.
thread* find_thread(int) noexcept { return nullptr; }
void for_each_thread(void (*visit)(thread&, void*) noexcept, void* context) noexcept {
  const std::lock_guard guard(table_lock);
  for (thread* t : table) visit(*t, context);
}
void arm_fault_stack(unsigned) noexcept {}
void on_signal(int, siginfo_t*, void*) {}
void on_kick(int, siginfo_t*, void*) {}
void on_fault(int, siginfo_t*, void*) {}

namespace {

constexpr signal_set usr1 = signal_bit(SIGUSR1), usr2 = signal_bit(SIGUSR2);

siginfo_t numbered(int value) {
  siginfo_t info{};
  info.si_code = SI_QUEUE;
  info.si_value.sival_int = value;
  return info;
}

class signals : public testing::Test {
 protected:
  // Sends to hubs that nobody runs.
  static core::hub& idle_hub() {
    static core::hub h;
    return h;
  }
  struct scoped_thread : thread {
    explicit scoped_thread(signal_set mask = 0) {
      home = &idle_hub();
      prepare_mail(*this);
      start_queue(*this);
      signals.mask = mask;
      count_mask(*this);
      const std::lock_guard guard(table_lock);
      table.push_back(this);
    }
    ~scoped_thread() {
      {
        const std::lock_guard guard(table_lock);
        std::erase(table, this);
      }
      end_queue(*this);
      uncount_mask(*this);
    }
  };
  static int take(thread& t, signal_set of = ~signal_set{0}) {
    siginfo_t info;
    return dequeue(t, of, info);
  }
};

TEST_F(signals, standard_ones_coalesce_and_real_time_ones_queue) {
  scoped_thread t;
  const int rt = SIGRTMIN + 1;
  // What is ignored by default or has no handler is queued for a thread that blocks it.
  change_mask(t, ~signal_set{0});
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(enqueue(t, SIGUSR1, numbered(i), false));
    EXPECT_TRUE(enqueue(t, rt, numbered(i), false));
  }
  siginfo_t info;
  EXPECT_EQ(dequeue(t, ~signal_set{0}, info), SIGUSR1);
  EXPECT_EQ(info.si_value.sival_int, 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(dequeue(t, ~signal_set{0}, info), rt);
    EXPECT_EQ(info.si_value.sival_int, i);
    EXPECT_EQ(info.si_signo, rt);
  }
  EXPECT_EQ(take(t), 0);
  EXPECT_EQ(t.signals.pending, 0U);
}

TEST_F(signals, faults_come_first_and_then_the_lowest) {
  scoped_thread t(~signal_set{0});
  for (const int sig : {SIGTERM, SIGUSR1, SIGHUP, SIGSEGV}) enqueue(t, sig, numbered(0), false);
  EXPECT_EQ(take(t, ~usr1), SIGSEGV);
  EXPECT_EQ(take(t), SIGHUP);
  EXPECT_EQ(take(t), SIGUSR1);
  EXPECT_EQ(take(t), SIGTERM);
}

TEST_F(signals, what_is_ignored_is_kept_only_where_it_is_blocked) {
  scoped_thread open, closed(signal_bit(SIGCHLD));
  enqueue(open, SIGCHLD, numbered(0), false);
  enqueue(closed, SIGCHLD, numbered(0), false);
  EXPECT_EQ(take(open), 0);
  EXPECT_EQ(take(closed), SIGCHLD);
}

TEST_F(signals, the_process_s_go_to_main_first_and_to_nobody_who_blocks_them) {
  scoped_thread other, main;
  main.is_main = true;
  send_to_process(SIGUSR1, numbered(1));
  EXPECT_EQ(take(other), 0);
  EXPECT_EQ(take(main), SIGUSR1);
  change_mask(main, usr1);
  send_to_process(SIGUSR1, numbered(1));
  EXPECT_EQ(take(main), 0);
  EXPECT_EQ(take(other), SIGUSR1);
  EXPECT_TRUE(other.signals.attention);
}

TEST_F(signals, who_waits_for_a_blocked_one_gets_it) {
  scoped_thread waits(usr1 | usr2), closed(usr1);
  waits.signals.awaited = usr1;
  send_to_process(SIGUSR1, numbered(7));
  siginfo_t info;
  EXPECT_EQ(dequeue(waits, usr1, info), SIGUSR1);
  EXPECT_EQ(info.si_value.sival_int, 7);
}

TEST_F(signals, one_of_the_process_moves_on_when_it_is_blocked_or_the_thread_ends) {
  scoped_thread second;
  {
    scoped_thread first;
    first.is_main = true;
    send_to_process(SIGUSR1, numbered(0));
    enqueue(first, SIGUSR2, numbered(0), false);
    change_mask(first, usr1 | usr2);
    EXPECT_EQ(first.signals.pending, usr2);
    EXPECT_EQ(take(second), SIGUSR1);
    change_mask(first, 0);
    send_to_process(SIGUSR1, numbered(0));
    EXPECT_EQ(first.signals.pending, usr1 | usr2);
  }
  EXPECT_EQ(take(second), SIGUSR1);
  EXPECT_EQ(take(second), 0);  // the other was the first thread's own
}

TEST_F(signals, the_kernel_holds_what_all_block) {
  scoped_thread a, b;
  change_mask(a, usr1);
  EXPECT_FALSE(held_by_kernel(SIGUSR1));
  change_mask(b, usr1 | usr2);
  EXPECT_TRUE(held_by_kernel(SIGUSR1));
  EXPECT_FALSE(held_by_kernel(SIGUSR2));
  {
    scoped_thread c;
    EXPECT_FALSE(held_by_kernel(SIGUSR1));
    change_mask(c, ~signal_set{0});
    EXPECT_TRUE(held_by_kernel(SIGUSR1));
    EXPECT_EQ(c.signals.mask & unblockable, 0U);
  }
  EXPECT_TRUE(held_by_kernel(SIGUSR1));
  change_mask(a, 0);
  EXPECT_FALSE(held_by_kernel(SIGUSR1));
}

TEST_F(signals, more_masks_than_are_counted) {
  std::vector<std::unique_ptr<scoped_thread>> crowd;
  for (signal_set i = 0; i < 300; ++i) crowd.push_back(std::make_unique<scoped_thread>(usr1 | i << 32));
  EXPECT_FALSE(held_by_kernel(SIGUSR1));  // counted as if they blocked nothing
  crowd.resize(100);
  EXPECT_TRUE(held_by_kernel(SIGUSR1));
  crowd.clear();
  EXPECT_FALSE(held_by_kernel(SIGUSR1));
}

TEST_F(signals, none_is_lost_between_threads) {
  constexpr int each = 500, senders = 3;
  scoped_thread a, b;
  std::atomic<int> sent{0};
  int got = 0;
  std::vector<std::thread> os_threads;
  for (int s = 0; s < senders; ++s) {
    os_threads.emplace_back([&] {
      for (int i = 0; i < each; ++i) {
        send_to_process(SIGRTMIN + 2, numbered(i));
        sent.fetch_add(1);
      }
    });
  }
  // One that blocks it now and then, never both.
  while (sent < each * senders || a.signals.pending != 0 || b.signals.pending != 0) {
    change_mask(a, signal_bit(SIGRTMIN + 2));
    if (take(b) != 0) ++got;
    change_mask(a, 0);
    if (take(a) != 0) ++got;
  }
  for (std::thread& t : os_threads) t.join();
  while (take(a) != 0 || take(b) != 0) ++got;
  EXPECT_EQ(got, each * senders);
}

}  // namespace
}  // namespace weft::shim
