// SPDX-License-Identifier: MIT
// The C++ library's threads: thread_local with destructors, static guards, async, futures, latches, semaphores, atomic waits, exceptions.
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <future>
#include <latch>
#include <mutex>
#include <numeric>
#include <semaphore>
#include <shared_mutex>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "check.h"

namespace {

using namespace std::chrono_literals;

std::atomic<int> built, destroyed;
struct counted {
  std::string name = "a string long enough to be on the heap, of this thread alone";
  counted() { ++built; }
  ~counted() {
    if (name.size() > 10) ++destroyed;
  }
};
thread_local counted mine;
thread_local std::vector<int> numbers{1, 2, 3};

void locals() {
  std::vector<std::thread> threads;
  for (int i = 0; i < 100; i++)
    threads.emplace_back([i] {
      mine.name += std::to_string(i);
      numbers.push_back(i);
      std::this_thread::yield();
      std::this_thread::sleep_for(1ms);
      CHECK_EQ(numbers.size(), 4);
      CHECK_EQ(numbers.back(), i);
    });
  for (auto& t : threads) t.join();
  FACT("thread_local: built %d, destroyed %d", built.load(), destroyed.load());
}

int guarded_calls;
int& guarded() {
  static int value = [] {
    std::this_thread::sleep_for(5ms);
    return ++guarded_calls;
  }();
  return value;
}
void guards() {
  std::vector<std::thread> threads;
  for (int i = 0; i < 20; i++) threads.emplace_back([] { CHECK_EQ(guarded(), 1); });
  for (auto& t : threads) t.join();
  std::once_flag once;
  int calls = 0, thrown = 0;
  threads.clear();
  std::mutex m;
  for (int i = 0; i < 10; i++)
    threads.emplace_back([&] {
      try {
        std::call_once(once, [&] {
          std::this_thread::sleep_for(1ms);
          if (++calls == 1) throw std::runtime_error("once more");
        });
      } catch (const std::exception&) {
        std::lock_guard lock(m);
        thrown++;
      }
    });
  for (auto& t : threads) t.join();
  FACT("guards: %d, once %d, thrown %d", guarded_calls, calls, thrown);
}

void futures() {
  std::vector<std::future<int>> results;
  for (int i = 0; i < 50; i++)
    results.push_back(std::async(std::launch::async, [i] {
      std::this_thread::sleep_for(std::chrono::microseconds(i * 10));
      if (i == 13) throw std::logic_error("thirteen");
      return i;
    }));
  int sum = 0;
  for (auto& r : results) {
    try {
      sum += r.get();
    } catch (const std::logic_error& e) {
      FACT("caught %s", e.what());
    }
  }
  std::promise<std::string> promise;
  auto future = promise.get_future();
  CHECK(future.wait_for(5ms) == std::future_status::timeout);
  std::thread setter([&] { promise.set_value_at_thread_exit("at exit"); });
  FACT("sum %d, %s", sum, future.get().c_str());
  setter.join();
  std::promise<int> shared;
  std::shared_future<int> all = shared.get_future().share();
  std::vector<std::thread> threads;
  std::atomic<int> got{0};
  for (int i = 0; i < 20; i++) threads.emplace_back([&, all] { got += all.get(); });
  shared.set_value(3);
  for (auto& t : threads) t.join();
  FACT("shared %d", got.load());
}

void latches() {
  std::latch ready(20), go(1);
  std::counting_semaphore<5> slots(5);
  std::binary_semaphore done(0);
  std::atomic<int> inside{0}, most{0}, ran{0};
  std::barrier meeting(20, []() noexcept {});
  std::vector<std::jthread> threads;
  for (int i = 0; i < 20; i++)
    threads.emplace_back([&] {
      ready.count_down();
      go.wait();
      slots.acquire();
      int n = ++inside;
      int seen = most.load();
      while (n > seen && !most.compare_exchange_weak(seen, n)) {
      }
      std::this_thread::sleep_for(1ms);
      --inside;
      slots.release();
      for (int k = 0; k < 50; k++) meeting.arrive_and_wait();
      if (++ran == 20) done.release();
    });
  ready.wait();
  go.count_down();
  done.acquire();
  threads.clear();
  CHECK(most.load() <= 5);
  CHECK(!done.try_acquire_for(5ms));
  CHECK(!slots.try_acquire_until(std::chrono::steady_clock::now()) || true);
  FACT("latches: ran %d", ran.load());
}

void atomics() {
  std::atomic<int> word{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([&, i] {
      for (int k = 0; k < 500; k++) {
        int now;
        while ((now = word.load()) % 4 != i) word.wait(now);
        word.store(now + 1);
        word.notify_all();
      }
    });
  for (auto& t : threads) t.join();
  std::atomic<char> narrow{0};
  std::thread waiter([&] { narrow.wait(0); });
  std::this_thread::sleep_for(2ms);
  narrow = 1;
  narrow.notify_one();
  waiter.join();
  std::atomic_flag flag = ATOMIC_FLAG_INIT;
  std::thread flagged([&] { flag.wait(false); });
  flag.test_and_set();
  flag.notify_all();
  flagged.join();
  FACT("atomics: %d", word.load());
}

void conditions() {
  std::mutex m;
  std::condition_variable changed;
  std::condition_variable_any any;
  std::shared_mutex shared;
  int turn = 0;
  std::jthread stoppable([&](const std::stop_token& stop) {
    std::unique_lock lock(m);
    bool met = any.wait(lock, stop, [] { return false; });
    CHECK(!met && stop.stop_requested());
  });
  std::thread other([&] {
    for (int i = 0; i < 1000; i++) {
      std::unique_lock lock(m);
      changed.wait(lock, [&] { return turn % 2 == 1; });
      turn++;
      changed.notify_one();
    }
  });
  for (int i = 0; i < 1000; i++) {
    std::unique_lock lock(m);
    CHECK(changed.wait_for(lock, 60s, [&] { return turn % 2 == 0; }));
    turn++;
    changed.notify_one();
  }
  other.join();
  stoppable.request_stop();
  stoppable.join();
  std::unique_lock lock(m);
  CHECK(changed.wait_for(lock, 3ms) == std::cv_status::timeout);
  lock.unlock();
  std::timed_mutex timed;
  timed.lock();
  std::thread([&] { CHECK(!timed.try_lock_for(3ms)); }).join();
  timed.unlock();
  std::atomic<int> readers{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([&] {
      std::shared_lock read(shared);
      ++readers;
      while (readers < 4) std::this_thread::yield();
    });
  for (auto& t : threads) t.join();
  FACT("conditions: turn %d, readers %d", turn, readers.load());
}

/* Exceptions in flight in many threads at once, across blocking calls in destructors and handlers. */
struct sleeps_when_destroyed {
  ~sleeps_when_destroyed() { std::this_thread::sleep_for(200us); }
};
void throws(int depth, int i) {
  sleeps_when_destroyed guard;
  if (depth == 0) throw i;
  throws(depth - 1, i);
}
void exceptions() {
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 20; i++)
    threads.emplace_back([&, i] {
      for (int k = 0; k < 5; k++) {
        try {
          throws(5, i);
        } catch (int got) {
          std::this_thread::sleep_for(100us);
          try {
            try {
              throw std::runtime_error(std::to_string(i));
            } catch (...) {
              std::this_thread::yield();
              CHECK_EQ(std::uncaught_exceptions(), 0);
              throw;
            }
          } catch (const std::runtime_error& e) {
            std::this_thread::sleep_for(100us);
            if (got == i && e.what() == std::to_string(i)) ++right;
          }
        }
      }
    });
  for (auto& t : threads) t.join();
  std::exception_ptr carried;
  std::thread([&] {
    try {
      throw std::out_of_range("carried");
    } catch (...) {
      carried = std::current_exception();
    }
  }).join();
  try {
    std::rethrow_exception(carried);
  } catch (const std::out_of_range& e) {
    FACT("exceptions: right %d, %s", right.load(), e.what());
  }
}

/* A cancelled C++ thread unwinds through its destructors, as does pthread_exit. */
struct noisy {
  const char* name;
  ~noisy() { FACT("  ~%s", name); }
};
void* cancelled(void* arg) {
  noisy outer{"outer"};
  try {
    noisy inner{"inner"};
    STORE(*static_cast<int*>(arg), 1);
    sleep(1000);
  } catch (...) {
    FACT("  unwinding");
    throw;
  }
  return nullptr;
}
void* leaves(void* arg) {
  noisy local{"local"};
  usleep(100);
  pthread_exit(arg);
}
void unwinding() {
  int ready = 0;
  FACT("cancelled");
  pthread_t t = start(cancelled, &ready);
  AWAIT(LOAD(ready));
  pthread_cancel(t);
  CHECK(finish(t) == PTHREAD_CANCELED);
  FACT("pthread_exit");
  CHECK(finish(start(leaves, &ready)) == &ready);
}

}  // namespace

int main() {
  begin();
  locals();
  guards();
  futures();
  latches();
  atomics();
  conditions();
  exceptions();
  unwinding();
  FACT("hardware: %d", std::thread::hardware_concurrency() > 0);
  return end();
}
