// SPDX-License-Identifier: MIT
// Every sync class under fibers of four hubs and plain threads at once, with random deadlines and cancellations.
//   sync_stress [--seconds N] [--seed N] [--only NAME]
// The seed decides what each actor does and when it is cancelled; the order in which the threads run is the kernel's.
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>

#include "stress/team.hpp"
#include "weft/barrier.hpp"
#include "weft/condition_variable.hpp"
#include "weft/event.hpp"
#include "weft/latch.hpp"
#include "weft/mutex.hpp"
#include "weft/once.hpp"
#include "weft/recursive_mutex.hpp"
#include "weft/semaphore.hpp"
#include "weft/shared_mutex.hpp"

namespace weft::stress {
namespace {

std::string unequal(const char* what, long long is, long long should) {
  if (is == should) return {};
  return std::string(what) + " " + std::to_string(is) + ", should be " + std::to_string(should);
}

// A plain number under a lock, against an atomic that counts the same.
template <class Mutex>
class locked_number : public scenario {
 public:
  void play(actor& a) override {
    while (!time_is_up()) {
      survive(a, [&] {
        std::unique_lock lock(mutex_, std::defer_lock);
        switch (a.random() % 4) {
          case 0:
            if (!lock.try_lock()) return;
            break;
          case 1:
            if (!lock.try_lock_for(a.moment(60))) return;
            break;
          default:
            lock.lock();
        }
        const long long before = number_;
        a.dawdle();
        number_ = before + 1;
        // What a cancellation skips is below the store, so count here.
        counted_.fetch_add(1, std::memory_order_relaxed);
      });
      a.progress();
    }
  }
  std::string verdict() override {
    if (!mutex_.try_lock()) return "is held for ever";
    mutex_.unlock();
    return unequal("number", number_, counted_);
  }

 private:
  Mutex mutex_;
  long long number_ = 0;
  std::atomic<long long> counted_{0};
};

// The depth of a recursive mutex is balanced whatever interrupts it.
class nested_locks : public scenario {
 public:
  void play(actor& a) override {
    while (!time_is_up()) {
      survive(a, [&] { descend(a, static_cast<int>(a.random() % 4)); });
      a.progress();
    }
  }
  std::string verdict() override {
    if (!mutex_.try_lock()) return "is held for ever";
    mutex_.unlock();
    return unequal("inside", inside_, 0);
  }

 private:
  void descend(actor& a, int levels) {
    const std::lock_guard guard(mutex_);
    ++inside_;
    try {
      a.dawdle();
      if (levels > 0) descend(a, levels - 1);
    } catch (const cancelled&) {
      --inside_;
      throw;
    }
    --inside_;
  }
  recursive_mutex mutex_;
  int inside_ = 0;
};

// Readers see both numbers equal; writers make them unequal for a while.
class readers_and_writers : public scenario {
 public:
  void play(actor& a) override {
    while (!time_is_up()) {
      survive(a, [&] { a.one_in(4) ? write(a) : read(a); });
      a.progress();
    }
  }
  std::string verdict() override {
    if (!mutex_.try_lock()) return "is held for ever";
    mutex_.unlock();
    return torn_ ? "a reader was in with a writer" : unequal("first", first_, second_);
  }

 private:
  void write(actor& a) {
    std::unique_lock lock(mutex_, std::defer_lock);
    if (a.one_in(3)) {
      if (!lock.try_lock_for(a.moment(60))) return;
    } else {
      lock.lock();
    }
    ++first_;
    try {
      a.dawdle();
    } catch (const cancelled&) {
      ++second_;
      throw;
    }
    ++second_;
  }
  void read(actor& a) {
    std::shared_lock lock(mutex_, std::defer_lock);
    if (a.one_in(3)) {
      if (!lock.try_lock_for(a.moment(60))) return;
    } else {
      lock.lock();
    }
    const long long seen = first_;
    if (second_ != seen) torn_ = true;
    a.dawdle();
    if (first_ != seen || second_ != seen) torn_ = true;
  }
  shared_mutex mutex_;
  long long first_ = 0, second_ = 0;
  std::atomic<bool> torn_{false};
};

// As many makers as takers around a queue for two. A lost notification stops somebody for ever.
class short_queue : public scenario {
 public:
  void play(actor& a) override {
    const bool makes = a.number % 2 == 0;
    for (;;) {
      bool over = false;
      survive(a, [&] { over = makes ? make(a) : take(a); });
      a.progress();
      if (over) break;
    }
  }
  std::string verdict() override { return unequal("taken", taken_, made_); }

 private:
  bool make(actor& a) {
    std::unique_lock lock(mutex_);
    not_full_.wait(lock, [this] { return inside_ < 2; });
    if (time_is_up()) {
      if (++makers_gone_ == (actors + 1) / 2) not_empty_.notify_all();
      not_full_.notify_one();  // the turn was not used
      return true;
    }
    ++inside_;
    ++made_;
    if (a.one_in(2)) lock.unlock();
    not_empty_.notify_one();
    return false;
  }
  bool take(actor& a) {
    std::unique_lock lock(mutex_);
    const auto can_go = [this] { return inside_ > 0 || makers_gone_ == (actors + 1) / 2; };
    if (a.one_in(4)) {
      if (!not_empty_.wait(lock, can_go, a.soon())) return false;
    } else {
      not_empty_.wait(lock, can_go);
    }
    if (inside_ == 0) return true;
    --inside_;
    ++taken_;
    if (a.one_in(2)) lock.unlock();
    not_full_.notify_one();
    return false;
  }
  mutex mutex_;
  condition_variable not_empty_, not_full_;
  int inside_ = 0;
  int makers_gone_ = 0;
  long long made_ = 0, taken_ = 0;
};

// A few units for many.
class few_units : public scenario {
 public:
  void play(actor& a) override {
    while (!time_is_up()) {
      bool has = false;
      survive(a, [&] {
        has = a.one_in(3) ? units_.acquire(a.soon()) : (units_.acquire(), true);
        a.dawdle();
      });
      if (has) units_.release();
      a.progress();
    }
  }
  std::string verdict() override { return unequal("units", units_.available(), 3); }

 private:
  bounded_semaphore units_{3};
};

// A baton goes round. Rings of every third actor, so that neighbours are of different hubs.
template <class Flag>
class ring : public scenario {
 public:
  explicit ring(int actors_in_all) : flags_(static_cast<std::size_t>(actors_in_all)) {
    for (std::size_t i = 0; i < 3; ++i) flags_[i].give();
  }
  void play(actor& a) override {
    const auto mine = static_cast<std::size_t>(a.number);
    const std::size_t next = mine + 3 < flags_.size() ? mine + 3 : mine % 3;
    for (bool over = false; !over;) {
      bool has = false;
      survive(a, [&] {
        has = a.one_in(4) ? flags_[mine].take(a.soon()) : flags_[mine].take(deadline::never());
        a.dawdle();
      });
      if (!has) {
        a.progress();
        continue;
      }
      if (mine < 3) over_[mine] = time_is_up();
      over = over_[mine % 3];
      flags_[next].give();
      a.progress();
    }
  }
  std::string verdict() override { return {}; }

 private:
  std::vector<Flag> flags_;
  std::array<bool, 3> over_{};
};

struct semaphore_flag {
  binary_semaphore s{0};
  void give() { s.release(); }
  bool take(deadline by) { return s.acquire(by); }
};
struct event_flag {
  event e;
  void give() { e.set(); }
  bool take(deadline by) {
    const bool set = e.wait(by);
    if (set) e.clear();
    return set;
  }
};

// Objects that serve one round and are destroyed by who leaves it last.
template <class Object>
class rounds {
 public:
  struct round {
    explicit round(int actors) : object(actors), left(actors) {}
    Object object;
    int left;
  };
  round& get(long long number, int actors) {
    const std::lock_guard guard(mutex_);
    auto& r = rounds_[number];
    if (r == nullptr) r = std::make_unique<round>(actors);
    return *r;
  }
  void leave(long long number) {
    const std::lock_guard guard(mutex_);
    if (--rounds_[number]->left == 0) rounds_.erase(number);
  }
  bool empty() const { return rounds_.empty(); }

 private:
  std::mutex mutex_;
  std::map<long long, std::unique_ptr<round>> rounds_;
};

class latches : public scenario {
 public:
  void play(actor& a) override {
    for (long long number = 0;; ++number) {
      latch& l = rounds_.get(number, actors).object;
      a.dawdle();
      if (a.number == 0) over_ = time_is_up();
      l.count_down();
      while (!survive(a, [&] {
        while (!l.wait(a.one_in(4) ? a.soon() : deadline::never())) {
        }
      })) {
      }
      const bool over = over_;
      a.progress();
      rounds_.leave(number);
      if (over) return;
      // Nobody counts down the next one, so `over_` stays, until all have read it.
      meet(a, number);
    }
  }
  std::string verdict() override { return rounds_.empty() && meetings_.empty() ? "" : "a round was not left by all"; }

 private:
  void meet(actor& a, long long number) {
    meetings_.get(number, actors).object.arrive_and_wait();
    meetings_.leave(number);
    a.progress();
  }
  rounds<latch> rounds_;
  rounds<latch> meetings_;
  bool over_ = false;
};

class barriers : public scenario {
 public:
  explicit barriers(int actors_in_all)
      : at_(static_cast<std::size_t>(actors_in_all)), barrier_(actors_in_all, completion{this}) {}
  void play(actor& a) override {
    for (long long number = 1;; ++number) {
      at_[static_cast<std::size_t>(a.number)] = number;
      pass(a);
      for (const long long other : at_) {
        if (other != number) wrong_ = true;
      }
      const bool over = over_;
      pass(a);
      if (over) return;
    }
  }
  std::string verdict() override { return wrong_ ? "somebody was ahead or behind" : ""; }

 private:
  struct completion {
    barriers* self;
    void operator()() noexcept { self->over_ = self->time_is_up(); }
  };
  void pass(actor& a) {
    a.dawdle();
    const auto token = barrier_.arrive();
    while (!survive(a, [&] {
      while (!barrier_.wait(token, a.one_in(4) ? a.soon() : deadline::never())) {
      }
    })) {
    }
    a.progress();
  }
  std::vector<long long> at_;
  bool over_ = false;
  std::atomic<bool> wrong_{false};
  barrier<completion> barrier_;
};

struct flag_and_count {
  explicit flag_and_count(int) {}
  once_flag flag;
  int count = 0;
};

class onces : public scenario {
 public:
  void play(actor& a) override {
    for (long long number = 0; goes_on(number); ++number) {
      flag_and_count& o = rounds_.get(number, actors).object;
      for (bool made = false; !made;) {
        survive(a, [&] {
          try {
            call_once(o.flag, [&] {
              a.dawdle();
              if (a.one_in(3)) throw std::runtime_error("not yet");
              ++o.count;
            });
            made = true;
          } catch (const std::runtime_error&) {
            made = false;
          }
        });
        a.progress();
      }
      if (o.count != 1) wrong_ = true;
      rounds_.leave(number);
    }
  }
  std::string verdict() override {
    return wrong_ ? "called more than once" : rounds_.empty() ? "" : "a round was not left by all";
  }

 private:
  // All play the same rounds: when the time is up, those that somebody has begun.
  bool goes_on(long long number) {
    const std::lock_guard guard(mutex_);
    if (!over_) begun_ = std::max(begun_, number + (time_is_up() ? 0 : 1));
    over_ = over_ || time_is_up();
    return number < begun_;
  }
  rounds<flag_and_count> rounds_;
  std::mutex mutex_;
  bool over_ = false;
  long long begun_ = 0;
  std::atomic<bool> wrong_{false};
};

template <class S>
entry plain(const char* name) {
  return {name, [](int) { return std::make_unique<S>(); }};
}
template <class S>
entry sized(const char* name) {
  return {name, [](int actors) { return std::make_unique<S>(actors); }};
}

const std::vector<entry> scenarios = {
    plain<locked_number<mutex>>("mutex"),
    plain<nested_locks>("recursive_mutex"),
    plain<locked_number<shared_mutex>>("shared_mutex_writers"),
    plain<readers_and_writers>("shared_mutex"),
    plain<short_queue>("condition_variable"),
    plain<few_units>("semaphore"),
    sized<ring<semaphore_flag>>("semaphore_ring"),
    sized<ring<event_flag>>("event_ring"),
    plain<latches>("latch"),
    sized<barriers>("barrier"),
    plain<onces>("once"),
};

}  // namespace
}  // namespace weft::stress

int main(int argc, char** argv) { return weft::stress::play_as_told(weft::stress::scenarios, argc, argv); }
