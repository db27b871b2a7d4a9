// SPDX-License-Identifier: MIT
#include "core/random_schedule.hpp"

#include <string_view>
#include <system_error>

#include "base/message.hpp"
#include "core/local_hub.hpp"
#include "weft/random_schedule.hpp"

extern char** environ;  // NOLINT(readability-identifier-naming)

namespace weft::core {

std::atomic<std::uint64_t> schedule_seed{0};

namespace {

// Among so many at most, from the front of the run queue, one is drawn.
constexpr unsigned widest_choice = 32;
// One switch in so many looks at I/O without need, one park in so many lets others run first.
constexpr unsigned looks = 16;
constexpr unsigned detours = 4;
constexpr std::uint64_t most_seed = 1'000'000'000'000'000'000;

void read_environment() noexcept {
  constexpr std::string_view name = "WEFT_TEST_SEED=";
  if (environ == nullptr) return;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view variable(*each);
    if (!variable.starts_with(name)) continue;
    std::uint64_t seed = 0;
    for (const char digit : variable.substr(name.size())) {
      if (digit < '0' || digit > '9' || seed >= most_seed / 10) {
        base::say("WEFT_TEST_SEED is not a number of 18 digits or less: the schedule is not random");
        return;
      }
      seed = seed * 10 + static_cast<unsigned>(digit - '0');
    }
    schedule_seed.store(seed, std::memory_order_relaxed);
    return;
  }
}

}  // namespace

void take_seed_of_environment() noexcept {
  static const bool once = (read_environment(), true);
  static_cast<void>(once);
}

void hub::take_seed() noexcept {
  lots.begin(schedule_seed.load(std::memory_order_relaxed), index);
  turn_ = lots.on() ? 1 : poll_interval;
  direct_mask_ = lots.on() ? 1 : 63;
  quantum = turn_;
}

// Who has yielded comes behind all that were ready then, so the choice ends at the first of them; but the front one may run.
void hub::draw_front() noexcept {
  if (ready_head == nullptr) return;
  unsigned candidates = 1;
  for (const fiber* f = ready_head->next; f != nullptr && !f->yielded && candidates < widest_choice; f = f->next) {
    ++candidates;
  }
  const unsigned drawn = lots.below(candidates);
  if (drawn == 0) return;
  fiber* before = ready_head;
  for (unsigned i = 1; i < drawn; ++i) before = before->next;
  move_first(*before->next, *before);
}

bool hub::draw_turn() noexcept {
  current->yielded = current->state == fiber_state::running;
  draw_front();
  if (lots.below(looks) != 0 && switches - looked_at_switch_ < poll_interval) return false;
  poll_due = true;
  return true;
}

bool hub::draw_detour() noexcept { return lots.on() && lots.below(detours) == 0; }

}  // namespace weft::core

namespace weft {

random_schedule::random_schedule(std::uint64_t seed) {
  if (seed == 0) {
    throw std::system_error(std::make_error_code(std::errc::invalid_argument), "weft: a random_schedule of seed 0");
  }
  core::hub& mine = core::local_hub();
  before_ = core::schedule_seed.exchange(seed, std::memory_order_relaxed);
  mine.take_seed();
}

random_schedule::~random_schedule() {
  core::schedule_seed.store(before_, std::memory_order_relaxed);
  if (weft_this_hub != nullptr) weft_this_hub->take_seed();
}

std::uint64_t schedule_seed() noexcept {
  core::take_seed_of_environment();
  return core::schedule_seed.load(std::memory_order_relaxed);
}

}  // namespace weft
