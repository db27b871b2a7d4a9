// SPDX-License-Identifier: MIT
#include "shim/process_report.hpp"

#include <cstring>
#include <new>

#include "core/runtime.hpp"
#include "shim/object_record.hpp"
#include "shim/report.hpp"
#include "shim/sites.hpp"
#include "shim/start.hpp"
#include "shim/table.hpp"
#include "shim/threads.hpp"

namespace weft::shim {

namespace {

constinit counters counts_of[core::max_hubs];
char program[256];
std::atomic<bool> reported{false};

unsigned collect_objects(patched_object* objects, unsigned room) noexcept {
  unsigned n = 0;
  unsigned used = 0;
  const site* sites = all(n);
  for (unsigned i = 0; i < n; ++i) {
    if (sites[i].address == 0) continue;
    unsigned at = 0;
    while (at < used && std::strcmp(objects[at].name, sites[i].object) != 0) ++at;
    if (at == used) {
      if (used == room) continue;
      const object_record* const record = record_of(sites[i].object);
      objects[used++] = {sites[i].object, 0, 0, record != nullptr && record->later};
    }
    ++(sites[i].k == kind::left ? objects[at].left : objects[at].patched);
  }
  return used;
}

}  // namespace

void remember_program(const char* path) noexcept {
  if (path != nullptr) std::strncpy(program, path, sizeof program - 1);
}

void count_call(core::hub& h, handler handle, bool parked) noexcept {
  counters& counted = counts_of[h.index];
  if (handle == pass_call || handle == wait_natively || handle == wait_natively_in_turn) {
    counted.passed.add();
  } else if (parked) {
    counted.parked.add();
  } else {
    counted.straight.add();
  }
}

void count_thread(core::hub& h) noexcept { counts_of[h.index].threads.add(); }
void count_preemption(core::hub& h) noexcept { counts_of[h.index].preemptions.add(); }

void forget_counts() noexcept {
  for (counters& each : counts_of) new (&each) counters;
  reported.store(false, std::memory_order_relaxed);
}

void report_at_exit() noexcept {
  if (!settings().report || reported.exchange(true)) return;
  const counters* hubs[core::max_hubs];
  const unsigned n = core::hub_count.load(std::memory_order_acquire);
  for (unsigned i = 0; i < n; ++i) {
    counters& counted = counts_of[i];
    counted.switches.add(core::hubs[i]->switches - counted.switches.read());
    counted.polls.add(core::hubs[i]->polls - counted.polls.read());
    hubs[i] = &counted;
  }
  patched_object objects[32];
  report_facts facts;
  facts.program = program;
  facts.hubs = {hubs, n};
  facts.most_alive = most_threads();
  facts.objects = {objects, collect_objects(objects, 32)};
  write_report(settings(), facts);
}

}  // namespace weft::shim
