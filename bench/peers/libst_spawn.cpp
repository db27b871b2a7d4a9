// SPDX-License-Identifier: MIT
// Spawn and join of bench/spawn_bench.cpp on State Threads, and the same line. Its stacks are mappings of their own, of which a
// process may have 65,530: too few for the other works.
#include <st.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "bench/spawn_measure.hpp"

int main(int argc, char** argv) {
  const std::uint64_t count = argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0;
  if (count == 0 || std::strcmp(argv[1], "join") != 0) {
    std::fprintf(stderr, "usage: libst_spawn join COUNT\n");
    return 2;
  }
  st_set_eventsys(ST_EVENTSYS_ALT);
  if (st_init() != 0) return 1;
  const bench::spawn_measure measure;
  for (std::uint64_t i = 0; i < count; ++i) {
    st_thread_join(st_thread_create([](void*) -> void* { return nullptr; }, nullptr, 1, 64 * 1024), nullptr);
  }
  measure.print(count);
}
