// SPDX-License-Identifier: MIT
// docs/tutorial.md: what fibers share.
#include <algorithm>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

// [mutex]
class account {
 public:
  void deposit(int amount) {
    const std::lock_guard guard(mutex_);
    const int before = balance_;
    weft::this_fiber::yield();  // a fiber that waits here lets others run, so it takes a lock
    balance_ = before + amount;
  }
  int balance() const { return balance_; }

 private:
  weft::mutex mutex_;
  int balance_ = 0;
};

void a_mutex() {
  account shared;
  // Two fibers here and one on another thread's hub: the same class serves them all.
  std::thread other([&] { shared.deposit(1); });
  const weft::task<> one = weft::spawn([&] { shared.deposit(10); });
  const weft::task<> two = weft::spawn([&] { shared.deposit(100); });
  weft::join_all({one, two});
  other.join();
  std::printf("balance %d\n", shared.balance());
}
// [end mutex]

// [condition]
void a_condition() {
  weft::mutex mutex;
  weft::condition_variable changed;
  int stock = 0;
  const weft::task<> buyer = weft::spawn([&] {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return stock >= 3; });
    std::printf("stock %d\n", stock);
  });
  for (int i = 0; i < 3; ++i) {
    const std::lock_guard guard(mutex);
    ++stock;
    changed.notify_one();
  }
  buyer.join();
}
// [end condition]

// [semaphore]
void at_most_two() {
  weft::counting_semaphore<> places(2);
  int inside = 0, most = 0;
  std::vector<weft::task<>> guests(10);
  for (weft::task<>& guest : guests) {
    guest = weft::spawn([&] {
      places.acquire();
      most = std::max(most, ++inside);  // no lock: fibers of one hub do not run at the same time
      weft::this_fiber::yield();
      --inside;
      places.release();
    });
  }
  weft::join_all(guests);
  std::printf("at most %d inside\n", most);
}
// [end semaphore]

// [event]
void an_event() {
  weft::event ready;
  std::thread loader([&] { ready.set(); });
  if (ready.wait(10s)) std::puts("loaded");
  loader.join();
}
// [end event]

}  // namespace

int main() {
  a_mutex();
  a_condition();
  at_most_two();
  an_event();
}
