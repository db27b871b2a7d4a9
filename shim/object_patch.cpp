// SPDX-License-Identifier: MIT
#include "shim/object_patch.hpp"

#include <cstring>

#include "shim/arch/x86_64/vectors.hpp"
#include "shim/pages.hpp"
#include "shim/site_table.hpp"

namespace weft::shim {

namespace {

/// libc, ld.so, the parts that libc was split into before 2.34, and the vDSO are built for the baseline: the upper parts of vector
/// registers are never live in them.
bool is_baseline(const char* path) {
  const char* slash = std::strrchr(path, '/');
  const char* name = slash != nullptr ? slash + 1 : path;
  static constexpr const char* prefixes[] = {
      "libc.so.", "libc-2.", "ld-linux-x86-64.so.", "ld-2.", "libpthread", "librt.", "librt-", "libanl", "linux-vdso"};
  for (const char* prefix : prefixes) {
    if (std::strncmp(name, prefix, std::strlen(prefix)) == 0) return true;
  }
  return false;
}

void leave(found_site& f, left_reason why) {
  f.k = kind::left;
  f.reason = why;
}

bool needs_island(const found_site& f) {
  return f.k == kind::relocated || (f.k != kind::left && !in_reach(f.window, stub_address(0)));
}

}  // namespace

void object_patch::find(address_range range, decoder& decode, bool jumps, found_site* found,
                        const other_threads& others) {
  std::size_t room = the_sites.room();
  pages scratch(scratch_size(object_, room));
  if (scratch.as<void>() == nullptr) return;
  take(found, find_sites(object_, decode, range, found, room, scratch.as<void>(), jumps), others);
}

void object_patch::take(found_site* found, std::size_t count, const other_threads& others) {
  record_ = keep_object(object_, later_);
  if (count == 0) return;
  bool may_change = text_may_change(object_.name);
  object_.name = record_ != nullptr ? static_cast<const char*>(record_->name) : "others";
  std::size_t for_islands = 0;
  for (std::size_t i = 0; i < count; ++i) {
    found_site& f = found[i];
    if (f.k == kind::left) continue;
    if (!may_change) leave(f, left_reason::protected_text);
    if (f.k != kind::mov_imm && others.returns_to(f.ret())) leave(f, left_reason::in_use);
    if (needs_island(f)) for_islands += island_bytes_per_site;
  }
  if (for_islands != 0) island_.reserve(object_.extent(), for_islands);
  for (std::size_t i = 0; i < count; ++i) {
    found_site& f = found[i];
    if (the_sites.known(f.address)) continue;
    unsigned number = the_sites.take();
    if (number == max_sites) break;
    if (f.k != kind::left) connect(f, number);
    the_sites.sites[number] = {f.address, f.ret(), f.nr, f.k, f.reason, object_.name};
  }
  if (!island_.finish()) drop(left_reason::no_island);
  if (record_ != nullptr) record_->memory = island_;
}

void object_patch::connect(found_site& f, unsigned number) {
  std::uint64_t stub = stub_address(number);
  std::uint64_t target = stub;
  std::uint64_t resume = f.k == kind::mov_imm ? f.ret() : f.window_end();
  if (needs_island(f)) {
    if (!island_.has_room(island_bytes_per_site)) return leave(f, left_reason::no_island);
    if (f.before_count != 0 || !in_reach(f.window, stub)) {
      target = island_.here();
      for (unsigned i = 0; i < f.before_count; ++i) {
        if (!island_.put_moved(f.before[i])) return leave(f, left_reason::no_island);
      }
      island_.put_jump(stub);
    }
    if (f.after_count != 0) {
      std::uint64_t behind = resume;
      resume = island_.here();
      for (unsigned i = 0; i < f.after_count; ++i) {
        if (!island_.put_moved(f.after[i])) return leave(f, left_reason::no_island);
      }
      island_.put_jump(behind);
    }
  }
  bool immediate = f.k == kind::mov_imm;
  stub_entry& entry = stub_entry_of(number);
  entry.keep = immediate ? 0 : ~std::uint32_t{0};
  entry.nr = immediate ? static_cast<std::uint32_t>(f.nr) : 0;
  entry.pass = immediate ? f.address : stub + WEFT_STUB_PASS;
  entry.ret = f.ret();
  entry.replay = replay_code(f.again);
  entry.resume = resume;
  entry.compare = f.compare;
  entry.wide = vectors_are_wide() && !is_baseline(object_.name);
  patches_[patch_count_++] = make_patch(f, target);
}

void object_patch::write(const text_writer& writer) {
  // One segment at a time: what lies between two segments is not ours to unprotect.
  for (std::size_t from = 0; from < patch_count_;) {
    const segment* s = object_.find_segment(patches_[from].address);
    std::size_t to = from;
    while (to < patch_count_ && s->range().contains(patches_[to].address)) ++to;
    if (!writer.write(patches_ + from, to - from)) failed_ = true;
    from = to;
  }
}

void object_patch::conclude() {
  if (failed_) drop(left_reason::protected_text);
}

/// Nothing of this object is patched after all.
void object_patch::drop(left_reason why) {
  for (unsigned i = 0; i < the_sites.count; ++i) {
    if (the_sites.sites[i].k == kind::left || the_sites.sites[i].object != object_.name) continue;
    the_sites.sites[i].k = kind::left;
    the_sites.sites[i].reason = why;
  }
  patch_count_ = 0;
}

}  // namespace weft::shim
