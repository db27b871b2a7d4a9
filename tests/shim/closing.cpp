// SPDX-License-Identifier: MIT
// Threads of static objects: made before main, joined in destructors after it, with output from every phase.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "check.h"

namespace {

class worker {
 public:
  explicit worker(const char* name) : name_(name), thread_([this] { run(); }) {}
  ~worker() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
    FACT("%s did its work: %d", name_, done_.load());
  }
  void add() {
    std::lock_guard lock(mutex_);
    pending_++;
    changed_.notify_all();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stop_ || pending_ > 0; });
      if (pending_ == 0) return;
      pending_--;
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      done_++;
      lock.lock();
    }
  }
  const char* name_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int pending_ = 0;
  bool stop_ = false;
  std::atomic<int> done_{0};
  std::thread thread_;
};

worker early("early");

}  // namespace

__attribute__((constructor)) static void before_main() {
  std::thread([] { usleep(100); }).join();
  setvbuf(stdout, nullptr, _IOLBF, 0);
  FACT("a constructor made a thread");
}

int main() {
  static worker late("late");
  for (int i = 0; i < 50; i++) {
    early.add();
    late.add();
  }
  std::atexit([] {
    std::thread([] { usleep(100); }).join();
    FACT("an exit handler made a thread");
  });
  std::thread([] {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }).detach();
  FACT("main is over");
  return 5;
}
