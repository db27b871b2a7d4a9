// SPDX-License-Identifier: MIT
#include "stress/team.hpp"

#include <barrier>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "core/dump.hpp"

namespace weft::stress {

namespace {

using namespace std::chrono_literals;

// Far more than any step takes, also on a loaded machine under a sanitizer.
constexpr auto patience = 60s;

class watchdog {
 public:
  watchdog(std::string name, std::vector<std::unique_ptr<actor>>& actors, std::uint64_t seed)
      : name_(std::move(name)), actors_(actors), seed_(seed), thread_([this] { watch(); }) {}
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;
  ~watchdog() {
    {
      const std::lock_guard guard(mutex_);
      over_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

 private:
  void watch() {
    std::vector<std::uint64_t> seen(actors_.size());
    std::vector<std::chrono::steady_clock::time_point> since(actors_.size(), std::chrono::steady_clock::now());
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, 500ms, [this] { return over_; })) {
      const auto now = std::chrono::steady_clock::now();
      for (std::size_t i = 0; i < actors_.size(); ++i) {
        const std::uint64_t steps = actors_[i]->steps.load(std::memory_order_relaxed);
        if (steps != seen[i] || actors_[i]->done.load(std::memory_order_relaxed)) {
          seen[i] = steps;
          since[i] = now;
        } else if (now - since[i] > patience) {
          give_up(*actors_[i]);
        }
      }
    }
  }
  [[noreturn]] void give_up(const actor& a) {
    std::fprintf(stderr, "%s, seed %llu: %s %d has made no step for %lld s, after %llu\n", name_.c_str(),
                 static_cast<unsigned long long>(seed_), a.is_fiber ? "fiber" : "thread", a.number,
                 static_cast<long long>(patience / 1s), static_cast<unsigned long long>(a.steps.load()));
    for (const auto& other : actors_) {
      std::fprintf(stderr, " %d:%llu%s", other->number, static_cast<unsigned long long>(other->steps.load()),
                   other->done ? " done" : "");
    }
    std::fprintf(stderr, "\n");
    core::dump_all();
    std::this_thread::sleep_for(1s);  // each hub prints for itself
    std::abort();
  }

  std::string name_;
  std::vector<std::unique_ptr<actor>>& actors_;
  std::uint64_t seed_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

class team {
 public:
  explicit team(const settings& with)
      : with_(with),
        start_(with.hubs + with.threads + 1),
        end_(with.hubs + with.threads + 1),
        actors_(static_cast<std::size_t>(with.hubs * with.fibers_per_hub + with.threads)) {
    int first = 0;
    for (int i = 0; i < with.hubs; ++i, first += with.fibers_per_hub) {
      threads_.emplace_back([this, first] { each_round([this, first] { play_fibers(first); }); });
    }
    for (int i = 0; i < with.threads; ++i, ++first) {
      threads_.emplace_back([this, first] { each_round([this, first] { play_one(first); }); });
    }
  }
  team(const team&) = delete;
  team& operator=(const team&) = delete;
  ~team() {
    current_ = nullptr;
    start_.arrive_and_wait();
    for (std::thread& t : threads_) t.join();
  }

  int size() const noexcept { return static_cast<int>(actors_.size()); }

  bool play(const entry& e, std::chrono::duration<double> time) {
    for (std::size_t i = 0; i < actors_.size(); ++i) {
      actors_[i] = std::make_unique<actor>();
      actors_[i]->number = static_cast<int>(i);
      actors_[i]->is_fiber = static_cast<int>(i) < with_.hubs * with_.fibers_per_hub;
      actors_[i]->random.seed(with_.seed * 1'000'003 + i);
    }
    const std::unique_ptr<scenario> s = e.make(size());
    s->actors = size();
    s->end = std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::nanoseconds>(time);
    current_ = s.get();
    {
      const watchdog dog(e.name, actors_, with_.seed);
      start_.arrive_and_wait();
      end_.arrive_and_wait();
    }
    std::uint64_t steps = 0;
    for (const auto& a : actors_) steps += a->steps;
    const std::string wrong = s->verdict();
    std::printf("%-20s %10llu steps  %s\n", e.name.c_str(), static_cast<unsigned long long>(steps),
                wrong.empty() ? "ok" : wrong.c_str());
    std::fflush(stdout);
    return wrong.empty() && steps != 0;
  }

 private:
  template <class F>
  void each_round(const F& f) {
    for (;;) {
      start_.arrive_and_wait();
      if (current_ == nullptr) return;
      f();
      end_.arrive_and_wait();
    }
  }
  void play_one(int number) {
    actor& a = *actors_[static_cast<std::size_t>(number)];
    current_->play(a);
    a.done = true;
  }
  void play_fibers(int first) {
    std::vector<fiber> fibers;
    for (int i = 0; i < with_.fibers_per_hub; ++i) fibers.push_back(spawn([this, first, i] { play_one(first + i); }));
    for (const fiber& f : fibers) f.join();
  }

  settings with_;
  std::barrier<> start_;
  std::barrier<> end_;
  std::vector<std::unique_ptr<actor>> actors_;
  scenario* current_ = nullptr;
  std::vector<std::thread> threads_;
};

}  // namespace

int play_all(const std::vector<entry>& scenarios, const settings& with) {
  std::vector<const entry*> chosen;
  for (const entry& e : scenarios) {
    if (with.only.empty() || with.only == e.name) chosen.push_back(&e);
  }
  if (chosen.empty()) {
    std::fprintf(stderr, "no scenario is called '%s'\n", with.only.c_str());
    return 1;
  }
  std::printf("seed %llu: %d hubs with %d fibers each and %d threads\n", static_cast<unsigned long long>(with.seed),
              with.hubs, with.fibers_per_hub, with.threads);
  team t(with);
  int failed = 0;
  for (const entry* e : chosen) {
    failed += t.play(*e, std::chrono::duration<double>(with.seconds / static_cast<double>(chosen.size()))) ? 0 : 1;
  }
  return failed;
}

int play_as_told(const std::vector<entry>& scenarios, int argc, char** argv) {
  settings with;
  with.seed = std::random_device{}();
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--seconds") {
      with.seconds = std::atof(argv[i + 1]);
    } else if (option == "--seed") {
      with.seed = std::strtoull(argv[i + 1], nullptr, 10);
    } else if (option == "--only") {
      with.only = argv[i + 1];
    } else {
      std::fprintf(stderr, "usage: %s [--seconds N] [--seed N] [--only NAME]\n", argv[0]);
      return 2;
    }
  }
  return play_all(scenarios, with) == 0 ? 0 : 1;
}

}  // namespace weft::stress
