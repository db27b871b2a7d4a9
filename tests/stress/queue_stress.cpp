// SPDX-License-Identifier: MIT
// Channels, select, queues, broadcasts and waitables under fibers of four hubs and plain threads at once, with random deadlines and
// cancellations: nothing is lost, nothing comes twice, nobody waits for ever.
//   queue_stress [--seconds N] [--seed N] [--only NAME]
#include <array>
#include <map>
#include <memory>
#include <mutex>

#include "stress/team.hpp"
#include "weft/broadcast.hpp"
#include "weft/channel.hpp"
#include "weft/event.hpp"
#include "weft/queue.hpp"
#include "weft/select.hpp"
#include "weft/semaphore.hpp"
#include "weft/wait.hpp"

namespace weft::stress {
namespace {

// Half of the actors make values until the time is up, the others take them until there are no more.
class makers_and_takers : public scenario {
 public:
  void play(actor& a) final {
    const bool makes = a.number % 2 == 0;
    for (bool over = false; !over;) {
      survive(a, [&] {
        if (makes && time_is_up()) {
          over = true;
        } else {
          over = makes ? (make(a), false) : !take(a);
        }
        if (!over) a.dawdle();
      });
      a.progress();
    }
    // Beyond what a cancellation can skip.
    if (makes && makers_gone_.fetch_add(1) + 1 == (actors + 1) / 2) close();
  }
  std::string verdict() override {
    take_the_rest();
    if (made_ == taken_ && sum_made_ == sum_taken_) return {};
    return "made " + std::to_string(made_) + ", taken " + std::to_string(taken_);
  }

 protected:
  virtual void make(actor& a) = 0;
  /// @return false at the end
  virtual bool take(actor& a) = 0;
  virtual void close() = 0;
  virtual void take_the_rest() {}

  long long fresh() { return next_.fetch_add(1); }
  void was_made(long long value) {
    ++made_;
    sum_made_ += value;
  }
  void was_taken(long long value) {
    ++taken_;
    sum_taken_ += value;
  }
  static deadline some_time(actor& a) { return a.one_in(4) ? a.soon() : deadline::never(); }

 private:
  std::atomic<int> makers_gone_{0};
  std::atomic<long long> next_{1}, made_{0}, taken_{0}, sum_made_{0}, sum_taken_{0};
};

template <std::size_t Capacity>
class channels final : public makers_and_takers {
  void make(actor& a) override {
    const long long value = fresh();
    if (a.one_in(5) ? c_.try_send(value) : c_.send(value, some_time(a))) was_made(value);
  }
  bool take(actor& a) override {
    const auto value = a.one_in(5) ? c_.try_receive() : c_.receive(some_time(a));
    if (value) was_taken(*value);
    return value || !c_.closed() || !c_.empty();
  }
  void close() override { c_.close(); }

  channel<long long> c_{Capacity};
};

// All three channels in one wait, or a plain send or receive of one in between.
class selects final : public makers_and_takers {
  void make(actor& a) override {
    const long long value = fresh();
    const auto count = [&](bool sent) {
      if (sent) was_made(value);
    };
    auto& one = c_[a.random() % 3];
    if (a.one_in(4)) return count(one.send(value, some_time(a)));
    select(on_send(c_[0], value, count), on_send(c_[1], value, count), on_send(c_[2], value, count), some_time(a));
  }
  bool take(actor& a) override {
    bool open = true;
    const auto count = [&](std::optional<long long> value) {
      open = value.has_value();
      if (value) was_taken(*value);
    };
    auto& one = c_[a.random() % 3];
    if (a.one_in(4)) {
      if (const auto value = one.receive(a.soon())) was_taken(*value);
      return true;
    }
    select(on_receive(c_[0], count), on_receive(c_[1], count), on_receive(c_[2], count), some_time(a));
    return open;
  }
  void close() override {
    for (auto& c : c_) c.close();
  }
  void take_the_rest() override {
    for (auto& c : c_) {
      while (const auto value = c.try_receive()) was_taken(*value);
    }
  }

  std::array<channel<long long>, 3> c_{channel<long long>(0), channel<long long>(0), channel<long long>(2)};
};

// A queue, a semaphore, a channel and an event in one wait; plain calls and `wait` in between.
class objects final : public makers_and_takers {
  void make(actor& a) override {
    const long long value = fresh();
    switch (a.random() % 3) {
      case 0:
        if (q_.push(value, some_time(a))) was_made(value);
        return;
      case 1:
        units_.release();
        return was_made(1);
      default:
        if (c_.send(value, some_time(a))) was_made(value);
    }
  }
  bool take(actor& a) override {
    const auto count = [&](std::optional<long long> value) {
      if (value) was_taken(*value);
    };
    const auto unit = [&] { was_taken(1); };
    if (a.one_in(6)) {
      std::array<waitable_ref, 4> all{q_, units_, c_, done_};
      (void)wait(all, 1, a.soon());
    } else if (a.one_in(6)) {
      if (units_.acquire(a.soon())) unit();
    } else {
      select(on_pop(q_, count), on_acquire(units_, unit), on_receive(c_, count), on(done_, [] {}), some_time(a));
    }
    return !done_.is_set();
  }
  void close() override {
    q_.shutdown();
    c_.close();
    done_.set();
  }
  void take_the_rest() override {
    while (const auto value = q_.try_pop()) was_taken(*value);
    while (const auto value = c_.try_receive()) was_taken(*value);
    while (units_.try_acquire()) was_taken(1);
  }

  queue<long long> q_{2};
  counting_semaphore<> units_{0};
  channel<long long> c_{0};
  event done_;
};

template <class Queue>
class queues final : public makers_and_takers {
  void make(actor& a) override {
    const long long value = fresh();
    if (a.one_in(5) ? q_.try_push(value) : q_.push(value, some_time(a))) was_made(value);
    if (a.one_in(50)) q_.join(a.soon());
  }
  bool take(actor& a) override {
    if (a.one_in(9)) (void)q_.peek(a.soon());
    const auto value = a.one_in(5) ? q_.try_pop() : q_.pop(some_time(a));
    if (value) {
      was_taken(*value);
      q_.task_done();
    }
    return value || !q_.closed() || !q_.empty();
  }
  void close() override { q_.shutdown(); }
  std::string verdict() override {
    return q_.join(deadline::from_ns(0)) ? makers_and_takers::verdict() : "work is left over";
  }

  Queue q_{2};
};

// Each subscriber that blocks sees all that each publisher published since it came, in order.
class news final : public scenario {
 public:
  void play(actor& a) override {
    if (a.number % 3 == 0) {
      publish(a);
    } else {
      watch(a);
    }
  }
  std::string verdict() override {
    if (torn_) return "a value is missing";
    for (const auto& last : seen_) {
      if (last != published_) return "the last values did not reach all";
    }
    return {};
  }

 private:
  struct item {
    int publisher;
    long long number;
  };

  void publish(actor& a) {
    long long number = 1;
    while (!time_is_up()) {
      survive(a, [&] {
        if (b_.publish({a.number, number}, a.one_in(4) ? a.soon() : deadline::never())) ++number;
        a.dawdle();
      });
      a.progress();
    }
    const std::lock_guard guard(mutex_);
    published_[a.number] = number - 1;
    if (++gone_ == (actors + 2) / 3) b_.close();
  }

  void watch(actor& a) {
    auto mine = b_.subscribe(1 + a.random() % 4);
    std::map<int, long long> last;
    for (bool over = false; !over;) {
      survive(a, [&] {
        const auto value = mine.receive(a.one_in(4) ? a.soon() : deadline::never());
        if (value) {
          const auto [at, first] = last.emplace(value->publisher, value->number);
          if (!first && ++at->second != value->number) torn_ = true;
        } else {
          over = mine.values().closed() && mine.values().empty();
        }
        if (!over) a.dawdle();
      });
      a.progress();
    }
    const std::lock_guard guard(mutex_);
    seen_.push_back(std::move(last));
  }

  broadcast<item> b_;
  std::mutex mutex_;
  std::atomic<bool> torn_{false};
  int gone_ = 0;
  std::map<int, long long> published_;
  std::vector<std::map<int, long long>> seen_;
};

template <class S>
entry plain(const char* name) {
  return {name, [](int) { return std::make_unique<S>(); }};
}

const std::vector<entry> scenarios = {
    plain<channels<0>>("rendezvous"),
    plain<channels<3>>("channel"),
    plain<channels<unbounded>>("unbounded"),
    plain<selects>("select"),
    plain<objects>("objects"),
    plain<queues<queue<long long>>>("queue"),
    plain<queues<priority_queue<long long>>>("priority_queue"),
    plain<queues<lifo_queue<long long>>>("lifo_queue"),
    plain<news>("broadcast"),
};

}  // namespace
}  // namespace weft::stress

int main(int argc, char** argv) { return weft::stress::play_as_told(weft::stress::scenarios, argc, argv); }
