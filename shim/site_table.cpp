// SPDX-License-Identifier: MIT
#include "shim/site_table.hpp"

#include <cstring>

// In trampolines.S; the bounds of the section come from the linker.
extern "C" {
[[gnu::visibility("hidden")]] extern const char stub_text_begin[] asm("__start_weft_stub_text");
[[gnu::visibility("hidden")]] extern const char stub_text_end[] asm("__stop_weft_stub_text");
extern const char weft_stubs[];
extern const char weft_replay_nothing[], weft_replay_cmp64[], weft_replay_cmp32[], weft_replay_test64[];
weft::shim::stub_entry weft_stub_entries[WEFT_STUB_COUNT];
}

namespace weft::shim {

constinit site_table the_sites;

namespace {

std::uint64_t address_of(const char* symbol) { return reinterpret_cast<std::uint64_t>(symbol); }

}  // namespace

std::uint64_t stub_address(unsigned number) { return address_of(weft_stubs) + std::uint64_t{number} * WEFT_STUB_SIZE; }

stub_entry& stub_entry_of(unsigned number) { return weft_stub_entries[number]; }

std::uint64_t replay_code(replay again) {
  switch (again) {
    case replay::cmp64:
      return address_of(weft_replay_cmp64);
    case replay::cmp32:
      return address_of(weft_replay_cmp32);
    case replay::test64:
      return address_of(weft_replay_test64);
    case replay::nothing:
      break;
  }
  return address_of(weft_replay_nothing);
}

bool is_ours(const image& object) {
  const char* slash = std::strrchr(object.name, '/');
  const char* name = slash != nullptr ? slash + 1 : object.name;
  return object.find_segment(stub_address(0)) != nullptr || std::strncmp(name, "libweft", 7) == 0;
}

site_counts counts() {
  site_counts c;
  for (unsigned i = 0; i < the_sites.count; ++i) {
    const site& s = the_sites.sites[i];
    if (s.address == 0) continue;
    ++c.found;
    ++(s.k == kind::left ? c.left : c.patched);
  }
  return c;
}

const site* all(unsigned& n) {
  n = the_sites.count;
  return the_sites.sites;
}

const site& site_of(const frame& f) { return the_sites.sites[f.entry - weft_stub_entries]; }

bool in_stub(std::uint64_t pc) { return address_of(stub_text_begin) <= pc && pc < address_of(stub_text_end); }

}  // namespace weft::shim
