// SPDX-License-Identifier: MIT
#include "shim/window.hpp"

#include <cstring>

namespace weft::shim {

namespace {

constexpr unsigned jump_length = 5;  // jmp rel32

std::int32_t read32(const std::uint8_t* p) {
  std::int32_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

bool mov_imm_eax(const instruction& i) {
  return (i.length == 5 && i.bytes[0] == 0xb8) ||                          // mov $imm32, %eax
         (i.length == 7 && std::memcmp(i.bytes, "\x48\xc7\xc0", 3) == 0);  // mov $imm32, %rax
}

/// The comparisons of rax that a stub can replay; sets the replay and its immediate.
bool comparison(const instruction& i, found_site& site) {
  if (i.length == 6 && i.bytes[0] == 0x48 && i.bytes[1] == 0x3d) {
    site.again = replay::cmp64, site.compare = read32(i.bytes + 2);
  } else if (i.length == 5 && i.bytes[0] == 0x3d) {
    site.again = replay::cmp32, site.compare = read32(i.bytes + 1);
  } else if (i.length == 4 && std::memcmp(i.bytes, "\x48\x83\xf8", 3) == 0) {
    site.again = replay::cmp64, site.compare = static_cast<std::int8_t>(i.bytes[3]);
  } else if (i.length == 3 && i.bytes[0] == 0x83 && i.bytes[1] == 0xf8) {
    site.again = replay::cmp32, site.compare = static_cast<std::int8_t>(i.bytes[2]);
  } else if (i.length == 3 && std::memcmp(i.bytes, "\x48\x85\xc0", 3) == 0) {
    site.again = replay::test64;
  } else {
    return false;
  }
  return true;
}

/// Tries the window that holds `before` instructions ahead of the syscall and `after` behind it.
left_reason try_window(found_site& site, const surroundings& around, decoder& decode, unsigned before, unsigned after) {
  site.window = before != 0 ? around.before[before - 1].address : site.address;
  std::uint64_t end = after != 0 ? around.after[after - 1].end() : site.ret();
  if (site.window < around.floor) return left_reason::not_relocatable;
  if (before != 0 && around.is_target(site.address, site.address)) return left_reason::jump_target;
  for (unsigned i = 0; i + 1 < before; ++i) {
    if (around.is_target(site.address, around.before[i].address)) return left_reason::jump_target;
  }
  for (unsigned i = 0; i < after; ++i) {
    if (around.is_target(site.address, around.after[i].address)) return left_reason::jump_target;
  }
  for (unsigned i = 0; i < before; ++i) {
    move_plan& plan = site.before[before - 1 - i] = decode.plan_move(around.before[i]);
    if (plan.how != movable::as_is && plan.how != movable::relative) return left_reason::not_relocatable;
  }
  bool ended = false;
  site.before_count = static_cast<std::uint8_t>(before);
  site.after_count = 0;
  for (unsigned i = 0; i < after; ++i) {
    if (ended) {
      // Nothing falls through to here: only padding may be overwritten.
      if (!is_padding(around.after[i])) return left_reason::not_relocatable;
      continue;
    }
    if (around.after[i].end() > around.limit) return left_reason::not_relocatable;
    move_plan plan = decode.plan_move(around.after[i]);
    if (plan.how == movable::no || site.after_count == found_site::max_moved) return left_reason::not_relocatable;
    ended = plan.how == movable::jump || plan.how == movable::end;
    if (plan.how == movable::jump || plan.how == movable::condition) {
      // A moved jump may go back to the start of the window, never into it.
      if (plan.target > site.window && plan.target < end) return left_reason::jump_target;
    }
    site.after[site.after_count++] = plan;
  }
  if (end - site.window < jump_length) return left_reason::not_relocatable;
  site.window_length = static_cast<std::uint8_t>(end - site.window);
  return left_reason::none;
}

}  // namespace

void surroundings::add_target(std::uint64_t site, std::uint64_t t) {
  std::uint64_t bit = t - (site - 64);
  if (bit < 128) targets[bit / 64] |= std::uint64_t{1} << (bit % 64);
}

bool surroundings::is_target(std::uint64_t site, std::uint64_t t) const {
  std::uint64_t bit = t - (site - 64);
  return bit < 128 && (targets[bit / 64] >> (bit % 64) & 1) != 0;
}

bool surroundings::is_boundary(std::uint64_t site, std::uint64_t t) const {
  if (t == site) return true;
  for (unsigned i = 0; i < before_count; ++i) {
    if (before[i].address == t) return true;
  }
  for (unsigned i = 0; i < after_count; ++i) {
    if (after[i].address == t) return true;
  }
  return false;
}

void choose_window(found_site& site, const surroundings& around, decoder& decode) {
  site.reason = left_reason::none;
  site.before_count = site.after_count = 0;
  site.again = replay::nothing;
  bool jumped_to = around.is_target(site.address, site.address);
  // A syscall that something jumps to must itself be caught, so the mov before it is not enough.
  if (!jumped_to && around.before_count != 0 && mov_imm_eax(around.before[0]) &&
      around.before[0].address >= around.floor) {
    site.k = kind::mov_imm;
    site.window = around.before[0].address;
    site.window_length = around.before[0].length;
    return;
  }
  if (around.after_count != 0) {
    const instruction& next = around.after[0];
    if (next.end() <= around.limit && next.end() - site.address >= jump_length &&
        !around.is_target(site.address, next.address) && comparison(next, site)) {
      site.k = kind::syscall_cmp;
      site.window = site.address;
      site.window_length = static_cast<std::uint8_t>(next.end() - site.address);
      return;
    }
    site.again = replay::nothing;
  }
  // Otherwise move neighbours, as few as do.
  left_reason why = left_reason::not_relocatable;
  for (unsigned total = 1; total <= surroundings::max_before + surroundings::max_after; ++total) {
    for (unsigned before = 0; before <= total; ++before) {
      unsigned after = total - before;
      if (before > around.before_count || after > around.after_count) continue;
      left_reason result = try_window(site, around, decode, before, after);
      if (result == left_reason::none) {
        site.k = kind::relocated;
        return;
      }
      if (result == left_reason::jump_target) why = result;
    }
  }
  site.k = kind::left;
  site.reason = why;
}

bool writes_eax(const instruction& i) {
  // Code that sets up a system call is made of few forms. Those that name another register as their destination:
  unsigned p = 0;
  if (i.bytes[0] == 0x64) ++p;
  std::uint8_t rex = 0;
  if ((i.bytes[p] & 0xf0) == 0x40) rex = i.bytes[p++];
  std::uint8_t op = i.bytes[p], modrm = i.bytes[p + 1];
  bool reg_is_eax = (modrm & 0x38) == 0 && (rex & 4) == 0;
  bool rm_is_eax = (modrm & 0xc7) == 0xc0 && (rex & 1) == 0;
  switch (op) {
    case 0x8b:
    case 0x8d:
    case 0x63:
    case 0x03:
    case 0x0b:
    case 0x23:
    case 0x2b:
    case 0x33:
      return reg_is_eax;  // op r/m, reg
    case 0x89:
    case 0x88:
    case 0x01:
    case 0x09:
    case 0x21:
    case 0x29:
    case 0x31:
    case 0xc7:
    case 0xc6:
    case 0x81:
    case 0x83:
    case 0x80:
    case 0xc1:
    case 0xd1:
    case 0xf7:
    case 0xff:
      return rm_is_eax;  // op reg or imm, r/m
    case 0x39:
    case 0x3b:
    case 0x84:
    case 0x85:
    case 0x3d:
    case 0x90:
      return false;  // cmp, test, nop
    default:
      if (op >= 0xb8 && op <= 0xbf) return op == 0xb8 && (rex & 1) == 0;
      if (op >= 0x50 && op <= 0x57) return false;
      if (op >= 0x58 && op <= 0x5f) return op == 0x58 && (rex & 1) == 0;
      return true;
  }
}

}  // namespace weft::shim
