// SPDX-License-Identifier: MIT
#include "weft/watcher.hpp"

#include <stdexcept>

#include "core/runtime.hpp"
#include "io/watch_state.hpp"

namespace weft {

namespace {

void require_home(const detail::watch_state& s) {
  if (s.home != nullptr && s.home != weft_this_hub) {
    throw std::logic_error("weft: a watcher was used away from the hub that it belongs to");
  }
}

}  // namespace

watcher::~watcher() {
  require_home(*state_);
  state_->deactivate();
  state_->release();
}

void watcher::start() {
  require_home(*state_);
  if (state_->active) return;
  detail::watch_engine::local().add(*state_);
  try {
    state_->arm();
  } catch (...) {
    state_->engine->remove(*state_);
    throw;
  }
}

void watcher::stop() {
  require_home(*state_);
  state_->deactivate();
}

bool watcher::active() const noexcept { return state_->active; }
bool watcher::pending() const noexcept { return state_->pending; }

void watcher::feed() {
  require_home(*state_);
  if (!state_->active) return;
  state_->fed = true;
  state_->happened(false);
}

void watcher::ref() {
  require_home(*state_);
  if (!state_->counts && state_->active) state_->home->await(1);
  state_->counts = true;
}

void watcher::unref() {
  require_home(*state_);
  if (state_->counts && state_->active) state_->home->await(-1);
  state_->counts = false;
}

void watcher::priority(int value) {
  if (state_->active) throw std::logic_error("weft: the priority of an active watcher cannot be changed");
  if (value < -2 || value > 2) throw std::logic_error("weft: the priority of a watcher is from -2 to 2");
  state_->priority = static_cast<signed char>(value);
}

int watcher::priority() const noexcept { return state_->priority; }

}  // namespace weft
