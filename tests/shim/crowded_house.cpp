// SPDX-License-Identifier: MIT
// Twenty thousand std::threads alive at once, that sleep, wait and pass a token round.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "check.h"

int main() {
  begin();
  constexpr int crowd = 20000;
  std::atomic<int> here{0}, woken{0};
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  {
    std::vector<std::thread> threads;
    threads.reserve(crowd);
    for (int i = 0; i < crowd; i++)
      threads.emplace_back([&, i] {
        std::this_thread::sleep_for(std::chrono::microseconds(i % 1000));
        ++here;
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return open; });
        ++woken;
      });
    while (here < crowd) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    {
      std::lock_guard lock(mutex);
      open = true;
    }
    changed.notify_all();
    for (auto& t : threads) t.join();
  }
  FACT("woken %d", woken.load());
  {
    auto token = std::make_unique<std::atomic<int>[]>(crowd / 10);
    std::vector<std::thread> ring;
    for (int i = 0; i < crowd / 10; i++)
      ring.emplace_back([&, i] {
        for (int round = 1; round <= 5; round++) {
          int now;
          while ((now = token[i].load()) < round) token[i].wait(now);
          auto& next = token[(i + 1) % (crowd / 10)];
          ++next;
          next.notify_one();
        }
      });
    ++token[0];
    token[0].notify_one();
    for (auto& t : ring) t.join();
    FACT("token came back %d times", token[0].load() - 1);
  }
  return end();
}
