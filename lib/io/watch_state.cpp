// SPDX-License-Identifier: MIT
#include "io/watch_state.hpp"

#include <array>
#include <exception>
#include <memory>

#include "core/fork.hpp"
#include "core/local_hub.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "weft/fiber.hpp"

namespace weft::detail {

namespace {
// As many fibers wait for calls at most; more exist only while functions wait.
constexpr unsigned kept_workers = 2;

constinit std::array<watch_engine*, core::max_hubs> engines{};
}  // namespace

void watch_state::happened(bool in_event) noexcept {
  if (!active || pending) return;
  pending = true;
  if (!running) engine->enqueue(*this, in_event);
}

void watch_state::deactivate() noexcept {
  if (!active) return;
  disarm();
  engine->remove(*this);
  pending = fed = false;
  if (linked()) {
    unlink();
    release();
  }
}

watch_engine& watch_engine::local() {
  core::hub& h = core::local_hub();
  watch_engine*& mine = engines[h.index];
  if (mine == nullptr) {
    static constinit core::fork_hook hook{forget_after_fork};
    core::on_fork(hook);
    std::unique_ptr<watch_engine> made(new watch_engine(h));
    made->add_worker();
    mine = made.release();
    static constexpr core::hub_watch around{before_poll, after_poll, in_use};
    h.watch = &around;
  }
  return *mine;
}

void watch_engine::add(watch_state& s) {
  s.engine = this;
  s.home = &hub_;
  s.active = true;
  s.keep();
  active_[static_cast<unsigned>(s.kind)].push_back(&s.member);
  if (s.counts) hub_.await(1);
}

void watch_engine::remove(watch_state& s) noexcept {
  s.active = false;
  s.member.unlink();
  if (s.counts) hub_.await(-1);
  s.release();
}

void watch_engine::enqueue(watch_state& s, bool in_event) noexcept {
  s.keep();
  due_.push_back(&s);
  worker* const w = idle_;
  if (w == nullptr) return;  // all are busy: the first to finish, or the one that a busy one makes, takes it
  idle_ = w->next;
  --idle_count_;
  if (in_event) {
    hub_.wake_from_event(w->who, core::woken);
  } else {
    core::unpark(w->who);
  }
}

void watch_engine::add_worker() {
  spawn({.name = "watchers", .on = hub(&hub_), .weight = fiber_weight::light}, work, this);
}

void watch_engine::work(watch_engine* e) {
  core::self().serves_hub = true;
  while (!e->gone_) {
    watch_state* const s = e->due_.pop_front();
    if (s != nullptr) {
      e->call(*s);
    } else if (e->idle_count_ == kept_workers) {
      return;
    } else {
      worker me{core::prepare_park(), e->idle_};
      e->idle_ = &me;
      ++e->idle_count_;
      core::park(me.who, core::timers::never, core::wait_kind::object, e);
    }
  }
}

void watch_engine::call(watch_state& s) {
  // Not by the loop, which must not make fibers: under the patch that calls libc's pthread_create.
  if (idle_count_ == 0) {
    try {
      add_worker();
    } catch (const std::exception&) {
      // No memory: the calls that come while this one waits, wait for it.
    }
  }
  const bool fed = s.fed;
  s.pending = s.fed = false;
  s.running = true;
  [&]() noexcept { s.call(fed); }();
  s.running = false;
  if (gone_) return;
  if (s.pending) enqueue(s, false);
  s.release();
}

void watch_engine::call_all(watch_kind kind) noexcept {
  base::list<watch_state::membership>& watchers = active_[static_cast<unsigned>(kind)];
  signed char highest = -128;
  if (kind == watch_kind::idle) {
    for (auto* at = watchers.front(); at != nullptr; at = watchers.after(at)) {
      if (at->owner->priority > highest) highest = at->owner->priority;
    }
  }
  for (auto* at = watchers.front(); at != nullptr; at = watchers.after(at)) {
    if (at->owner->priority >= highest) at->owner->happened(false);
  }
}

bool watch_engine::before_poll(core::hub& h) noexcept {
  watch_engine& e = *engines[h.index];
  e.call_all(watch_kind::prepare);
  return !e.active_[static_cast<unsigned>(watch_kind::idle)].empty();
}

void watch_engine::after_poll(core::hub& h, bool idle) noexcept {
  watch_engine& e = *engines[h.index];
  e.call_all(watch_kind::check);
  if (idle && h.ready_head == nullptr) e.call_all(watch_kind::idle);
}

bool watch_engine::in_use(const core::hub& h) noexcept {
  for (const auto& kind : engines[h.index]->active_) {
    if (!kind.empty()) return true;
  }
  return false;
}

void watch_engine::forget_after_fork() noexcept {
  for (watch_engine*& e : engines) {
    if (e == nullptr) continue;
    e->gone_ = true;
    for (auto& kind : e->active_) {
      for (auto* at = kind.front(); at != nullptr; at = kind.front()) {
        at->unlink();
        watch_state& s = *at->owner;
        s.active = s.pending = false;
        s.home = nullptr;
        if (s.linked()) {
          s.unlink();
          --s.references;
        }
        s.release();
      }
    }
    e = nullptr;  // it stays in memory: the surviving fiber may be one of its workers
  }
}

}  // namespace weft::detail
