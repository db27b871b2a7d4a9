// SPDX-License-Identifier: MIT
#include "shim/scan.hpp"

#include <algorithm>
#include <cstring>

#include "shim/arch/x86_64/length.hpp"
#include "shim/text_search.hpp"
#include "shim/window.hpp"

namespace weft::shim {

namespace {

constexpr std::size_t short_reach = 130;  // how far a 2-byte jump reaches, and then some

std::int32_t read32(const std::uint8_t* p) {
  std::int32_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

/// The search in one object.
class search {
 public:
  search(const image& object, decoder& decode, found_site* out, std::size_t capacity, void* scratch)
      : object_(object), decode_(decode), out_(out), capacity_(capacity) {
    near_ = static_cast<std::uint8_t*>(scratch);
    about_ = near_ + bits_for(object, bucket_shift);
    around_ = reinterpret_cast<surroundings*>(near_ + near_bytes(object));
  }

  static std::size_t near_bytes(const image& object) {
    return bits_for(object, bucket_shift) + bits_for(object, coarse_shift);
  }

  std::size_t run(address_range range, bool jumps) {
    base_ = object_.extent().begin;
    buckets_ = bits_for(object_, bucket_shift) * 8;
    for (unsigned i = 0; i < object_.segment_count(); ++i) {
      const segment& s = object_.segment_at(i);
      if (s.executable) collect(s, range);
    }
    if (count_ == 0) return 0;
    for (unsigned i = 0; i < object_.segment_count(); ++i) {
      const segment& s = object_.segment_at(i);
      if (s.executable && jumps) collect_long_targets(s);
    }
    for (std::size_t i = 0; i < count_; ++i) {
      if (out_[i].reason != left_reason::none) continue;
      if (i != 0 && out_[i - 1].k != kind::left) around_[i].floor = out_[i - 1].window_end();
      choose(out_[i], around_[i], jumps);
    }
    return count_;
  }

 private:
  static constexpr unsigned bucket_shift = 6;
  static constexpr unsigned coarse_shift = 16;

  /// Whole cache lines with a bit for each 2^shift bytes of the object.
  static std::size_t bits_for(const image& object, unsigned shift) {
    address_range all = object.extent();
    return (static_cast<std::size_t>((all.end - all.begin) >> shift) / 8 + 64) & ~std::size_t{63};
  }
  static void set_bit(std::uint8_t* bits, std::uint64_t n) {
    bits[n / 8] = static_cast<std::uint8_t>(bits[n / 8] | 1U << (n % 8));
  }
  static bool has_bit(const std::uint8_t* bits, std::uint64_t n) { return (bits[n / 8] >> (n % 8) & 1) != 0; }

  /// Most sites need no more than their two neighbours, so the rest is looked at only on demand.
  void choose(found_site& site, surroundings& around, bool jumps) {
    if (jumps) collect_table_targets(site, around);
    look_behind(site, around, 1);
    choose_window(site, around, decode_);
    for (bool looked = false;;) {
      if ((site.k == kind::relocated || site.k == kind::left) && !looked) {
        look_behind(site, around, surroundings::max_after);
        looked = true;
      } else if (!jumps || !collect_short_targets(site, around)) {
        return;
      }
      choose_window(site, around, decode_);
    }
  }

  /// Decodes up to @p count instructions behind the syscall.
  void look_behind(const found_site& site, surroundings& around, unsigned count) {
    std::uint64_t next = around.after_count == 0 ? site.ret() : around.after[around.after_count - 1].end();
    while (around.after_count < count && next < around.limit) {
      instruction& i = around.after[around.after_count];
      const std::uint8_t* p = object_.at(next, 1);
      if (p == nullptr || !decode_.decode(p, static_cast<std::size_t>(around.limit - next), next, i)) return;
      next = i.end();
      ++around.after_count;
    }
  }

  // ---- where the syscalls are

  void collect(const segment& s, address_range range) {
    std::size_t from = range.begin > s.address ? static_cast<std::size_t>(range.begin - s.address) : 0;
    std::size_t to = range.end < s.range().end ? static_cast<std::size_t>(range.end - s.address) : s.size;
    if (range.end <= s.address || from >= to) return;
    walked_ = {};
    each_pair(s.bytes, from, to, 0x0f, 0x05, [&](std::size_t offset) { candidate(s, offset); });
  }

  found_site* add(std::uint64_t address) {
    if (count_ == capacity_) return nullptr;
    found_site& site = out_[count_];
    site = found_site{};
    site.address = address;
    around_[count_] = surroundings{};
    ++count_;
    return &site;
  }

  void candidate(const segment& s, std::size_t offset) {
    std::uint64_t address = s.address + offset;
    if (offset >= 7 && std::memcmp(s.bytes + offset - 7, "\x48\xc7\xc0\x0f\x00\x00\x00", 7) == 0) {
      // The table of functions lists __restore_rt one byte early (glibc's sysdeps/unix/sysv/linux/x86_64/libc_sigaction.c
      // says why), so decoding would not arrive: the bytes are what every unwinder goes by.
      if (found_site* site = add(address)) site->nr = 15, site->reason = left_reason::sigreturn;
      return;
    }
    address_range f;
    std::uint64_t described_end = 0;
    if (!object_.find_function(address, f, &described_end)) {
      // Ahead of the first function lie tables, where the linker did not give them a segment of their own.
      if (object_.has_functions()) return;
      if (found_site* site = add(address)) site->reason = left_reason::no_function;
      return;
    }
    const bool covered = address < described_end;
    if (!is_reached(s, f, address)) {
      // Tables between functions do not decode; within a function that would be an instruction too new for the decoder.
      if (!quick_lost_ || !covered) return;
    }
    if (walked_.begin != f.begin) {
      walked_ = f;
      lost_ = false;
      at_ = f.begin;
      history_count_ = 0;
    }
    // Decode on from where the last candidate of this function was.
    while (at_ < address && !lost_) step(s, f);
    if (lost_ && !covered) return;
    if (lost_) {
      if (found_site* site = add(address)) site->reason = left_reason::undecodable;
      return;
    }
    if (at_ != address) return;  // inside of an instruction: data that looks like a syscall
    found_site* site = add(address);
    if (site == nullptr) return;
    surroundings& around = around_[count_ - 1];
    around.limit = f.end;
    unsigned keep = std::min(history_count_, surroundings::max_before);
    for (unsigned i = 0; i < keep; ++i) around.before[i] = history_[(history_count_ - 1 - i) % history_size];
    around.before_count = keep;
    site->nr = number_before();
    if (site->nr == 15) site->reason = left_reason::sigreturn;
    mark_near(address);
  }

  /// A first look: most candidates are bytes inside of an instruction, and a large program has functions of a megabyte. Who passes is
  /// decoded for certain.
  bool is_reached(const segment& s, const address_range& f, std::uint64_t address) {
    if (quick_.begin != f.begin) {
      quick_ = f;
      quick_at_ = f.begin;
      quick_lost_ = false;
    }
    while (quick_at_ < address && !quick_lost_) {
      const std::uint8_t* const p = s.bytes + (quick_at_ - s.address);
      const auto left = static_cast<std::size_t>(f.end - quick_at_);
      if (const unsigned length = quick_length(p, left)) {
        quick_at_ += length;
        continue;
      }
      instruction i;
      quick_lost_ = !decode_.decode(p, left, quick_at_, i);
      quick_at_ = i.end();
    }
    return !quick_lost_ && quick_at_ == address;
  }

  void step(const segment& s, const address_range& f) {
    instruction& i = history_[history_count_ % history_size];
    if (!decode_.decode(s.bytes + (at_ - s.address), static_cast<std::size_t>(f.end - at_), at_, i)) {
      lost_ = true;
      return;
    }
    ++history_count_;
    at_ = i.end();
  }

  /// The number in eax, when an instruction a little before the syscall sets it and nothing in between may change it.
  int number_before() const {
    for (unsigned n = 0; n < std::min(history_count_, history_size); ++n) {
      const instruction& i = history_[(history_count_ - 1 - n) % history_size];
      if (i.length == 5 && i.bytes[0] == 0xb8) return read32(i.bytes + 1);
      if (i.length == 7 && std::memcmp(i.bytes, "\x48\xc7\xc0", 3) == 0) return read32(i.bytes + 3);
      if (i.length == 2 && (i.bytes[0] == 0x31 || i.bytes[0] == 0x33) && i.bytes[1] == 0xc0) return 0;
      if (branch_target(i) != 0 || writes_eax(i)) return -1;
    }
    return -1;
  }

  // ---- what may jump near them

  void mark_near(std::uint64_t address) {
    for (std::uint64_t a : {address - window_reach, address, address + window_reach}) {
      std::uint64_t bucket = (a - base_) >> bucket_shift;
      if (bucket >= buckets_) continue;  // beyond the object
      set_bit(near_, bucket);
      set_bit(about_, bucket >> (coarse_shift - bucket_shift));
    }
  }

  void target(std::uint64_t t) {
    std::uint64_t bucket = (t - base_) >> bucket_shift;
    if (bucket >= buckets_ || !has_bit(about_, bucket >> (coarse_shift - bucket_shift))) return;
    if (!has_bit(near_, bucket)) return;
    found_site* end = out_ + count_;
    found_site* site = std::lower_bound(
        out_, end, t, [](const found_site& a, std::uint64_t b) { return a.address + window_reach < b; });
    for (; site != end && site->address <= t + window_reach; ++site) around_[site - out_].add_target(site->address, t);
  }

  /// Direct jumps with 4-byte distances and code addresses loaded by lea. Bytes that only look like one add a target that
  /// is none, which is very rare and does no harm: only targets on instruction boundaries matter.
  void collect_long_targets(const segment& s) {
    const auto note = [&](std::size_t i) {
      target(s.address + i + 5 + static_cast<std::uint64_t>(std::int64_t{read32(s.bytes + i + 1)}));
    };
    // A program of 200 MB is read in each of its processes that makes a thread: for few places it is read once for each, at four times
    // the speed.
    constexpr unsigned most = 4;
    address_range places[most];
    const unsigned count = list_places(places);
    if (count > most) return each_distance(s.bytes, s.size, note);
    for (unsigned i = 0; i < count; ++i) each_distance_to(places[i], s.bytes, s.size, s.address, note);
  }

  /// Where targets matter. @return more than there is room for, if there are more
  template <std::size_t N>
  unsigned list_places(address_range (&places)[N]) const {
    unsigned count = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      if (out_[i].reason != left_reason::none) continue;
      const address_range around{out_[i].address - window_reach, out_[i].address + window_reach + 1};
      if (count != 0 && around.end - places[count - 1].begin <= max_reach) {
        places[count - 1].end = around.end;
      } else if (count == N) {
        return N + 1;
      } else {
        places[count++] = around;
      }
    }
    return count;
  }

  /// Looks for 2-byte jumps that forbid the window chosen. Their pattern is too short to trust bytes: each one that would
  /// hit is verified by decoding its function. @return whether there was one
  bool collect_short_targets(const found_site& site, surroundings& around) {
    if (site.k == kind::left) return false;
    const segment* s = object_.find_segment(site.address);
    std::uint64_t from = std::max(s->address, site.window - short_reach);
    std::uint64_t to = std::min(s->range().end - 1, site.window_end() + short_reach);
    bool found = false;
    for (std::uint64_t a = from; a < to; ++a) {
      const std::uint8_t* p = s->bytes + (a - s->address);
      if (p[0] != 0xeb && (p[0] & 0xf0) != 0x70 && (p[0] < 0xe0 || p[0] > 0xe3)) continue;
      std::uint64_t t = a + 2 + static_cast<std::uint64_t>(std::int64_t{static_cast<std::int8_t>(p[1])});
      bool forbidden = t == site.address ? t != site.window : site.window < t && t < site.window_end();
      if (forbidden && around.is_boundary(site.address, t) && !around.is_target(site.address, t) && boundary(*s, a)) {
        around.add_target(site.address, t);
        found = true;
      }
    }
    return found;
  }

  bool boundary(const segment& s, std::uint64_t address) {
    address_range f;
    if (!object_.find_function(address, f)) return true;  // not known: take it as real
    instruction i;
    for (std::uint64_t at = f.begin; at < address; at = i.end()) {
      if (!decode_.decode(s.bytes + (at - s.address), static_cast<std::size_t>(f.end - at), at, i)) return true;
      if (at < address && address < i.end()) return false;
    }
    return true;
  }

  /// Where the function has an indirect jump, every table of distances that it takes the address of may be a jump
  /// table: its entries are targets for as long as they point into the function.
  void collect_table_targets(const found_site& site, surroundings& around) {
    address_range f;
    const segment* s = object_.find_segment(site.address);
    std::uint64_t described_end = 0;
    if (!object_.find_function(site.address, f, &described_end)) return;
    // Where few functions have unwind information the next one that has may be far.
    if (site.address < described_end) f.end = std::min(f.end, described_end);
    const std::uint8_t* code = s->bytes + (f.begin - s->address);
    std::size_t size = static_cast<std::size_t>(f.end - f.begin);
    bool indirect = false;
    each_ff(code, size, [&](std::size_t i) { indirect = indirect || (code[i + 1] & 0xf8) == 0xe0; });
    if (!indirect) return;
    for (std::size_t i = 1; i + 5 <= size; ++i) {
      if (code[i - 1] != 0x8d || (code[i] & 0xc7) != 0x05) continue;
      std::uint64_t table = f.begin + i + 5 + static_cast<std::uint64_t>(std::int64_t{read32(code + i + 1)});
      if (object_.executable(table)) continue;
      for (unsigned n = 0; n < 4096; ++n) {
        const std::uint8_t* entry = object_.at(table + 4 * n, 4);
        if (entry == nullptr) break;
        std::uint64_t t = table + static_cast<std::uint64_t>(std::int64_t{read32(entry)});
        if (!f.contains(t)) break;
        around.add_target(site.address, t);
      }
    }
  }

  template <class F>
  static void each_ff(const std::uint8_t* code, std::size_t size, F f) {
    for (std::size_t i = 0; i + 1 < size; ++i) {
      if (code[i] == 0xff) f(i);
    }
  }

  const image& object_;
  decoder& decode_;
  found_site* out_;
  std::size_t capacity_;
  std::size_t count_ = 0;
  std::uint64_t base_ = 0, buckets_ = 0;
  std::uint8_t* near_;    // one bit per 64 bytes of the object: a site is near
  std::uint8_t* about_;   // one bit per 64 KiB: the first level's cache holds those of a large program
  surroundings* around_;  // of out_[i]

  // The function that is_reached looks through.
  address_range quick_;
  bool quick_lost_ = false;
  std::uint64_t quick_at_ = 0;

  // The function that is being decoded.
  static constexpr unsigned history_size = 24;
  address_range walked_;
  bool lost_ = false;
  std::uint64_t at_ = 0;
  instruction history_[history_size];
  unsigned history_count_ = 0;
};

}  // namespace

std::size_t scratch_size(const image& object, std::size_t capacity) {
  return search::near_bytes(object) + capacity * sizeof(surroundings);
}

std::size_t find_sites(const image& object, decoder& decode, address_range range, found_site* out, std::size_t capacity,
                       void* scratch, bool jumps) {
  return search(object, decode, out, capacity, scratch).run(range, jumps);
}

const char* reason_text(left_reason r) {
  switch (r) {
    case left_reason::none:
      return "";
    case left_reason::sigreturn:
      return "rt_sigreturn, left on purpose";
    case left_reason::no_function:
      return "the enclosing function is not known";
    case left_reason::undecodable:
      return "an instruction before it is not known";
    case left_reason::jump_target:
      return "something may jump into the bytes around it";
    case left_reason::not_relocatable:
      return "the instructions around it cannot be moved";
    case left_reason::no_stub:
      return "all stubs are taken";
    case left_reason::no_island:
      return "no executable page can be had near it";
    case left_reason::in_use:
      return "another thread was in it";
    case left_reason::protected_text:
      return "the text may not be changed";
  }
  return "";
}

}  // namespace weft::shim
