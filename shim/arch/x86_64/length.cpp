// SPDX-License-Identifier: MIT
// Intel's manual, volume 2: chapter 2 for the format, appendix A for the maps of opcodes.
#include "shim/arch/x86_64/length.hpp"

namespace weft::shim {

namespace {

// What follows an opcode. Immediates: a byte, a word, both (enter), "z": 4 bytes, or 2 with the prefix 66, "v": as z, but 8 with REX.W.
enum form : std::uint8_t {
  plain,
  byte,
  word,
  word_byte,
  z,
  v,
  offset,
  modrm,
  modrm_byte,
  modrm_z,
  group3,
  jump,
  unknown
};

constexpr form one_byte(unsigned op) {
  if (op < 0x40) {
    constexpr form row[8] = {modrm, modrm, modrm, modrm, byte, z, unknown, unknown};
    return row[op & 7];
  }
  switch (op) {
    case 0x63:
      return modrm;
    case 0x68:
    case 0xa9:
      return z;
    case 0x69:
    case 0x81:
    case 0xc7:
      return modrm_z;
    case 0x6b:
    case 0x80:
    case 0x83:
    case 0xc0:
    case 0xc1:
    case 0xc6:
      return modrm_byte;
    case 0x6a:
    case 0xa8:
    case 0xcd:
    case 0xeb:
      return byte;
    case 0xc2:
    case 0xca:
      return word;
    case 0xc8:
      return word_byte;
    case 0xe8:
    case 0xe9:
      return jump;
    case 0xf6:
    case 0xf7:
      return group3;
    case 0x82:
    case 0x8f:
    case 0x9a:
    case 0x9b:
    case 0xce:
    case 0xea:
    case 0xf1:
      return unknown;
    default:
      break;
  }
  if (op < 0x60) return plain;
  if (op < 0x6c) return unknown;
  if (op < 0x70) return plain;
  if (op < 0x80) return byte;
  if (op < 0x90) return modrm;
  if (op < 0xa0) return plain;
  if (op < 0xa4) return offset;
  if (op < 0xb0) return plain;
  if (op < 0xb8) return byte;
  if (op < 0xc0) return v;
  if (op < 0xd0) return plain;  // c3, c9, cb, cc, cf
  if (op < 0xd4) return modrm;
  if (op < 0xd7) return unknown;
  if (op == 0xd7) return plain;
  if (op < 0xe0) return modrm;
  if (op < 0xe8) return byte;
  return op < 0xfe ? plain : modrm;
}

constexpr form two_bytes(unsigned op) {
  switch (op) {
    case 0x05:
    case 0x0b:
    case 0x31:
    case 0x77:
    case 0xa2:
      return plain;
    case 0x04:
    case 0x0a:
    case 0x0c:
    case 0x0e:
    case 0x0f:
    case 0x78:
    case 0x79:
    case 0x7a:
    case 0x7b:
    case 0xa6:
    case 0xa7:
    case 0xb8:
    case 0xb9:
    case 0xff:
      return unknown;
    case 0xa4:
    case 0xac:
    case 0xba:
    case 0xc2:
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return modrm_byte;
    default:
      break;
  }
  if (op < 0x04) return modrm;
  if (op < 0x0d) return unknown;  // the kernel's
  if (op < 0x20) return modrm;
  if (op < 0x28) return unknown;
  if (op < 0x30) return modrm;
  if (op < 0x40) return unknown;
  if (op < 0x70) return modrm;
  if (op < 0x74) return modrm_byte;
  if (op < 0x80) return modrm;
  if (op < 0x90) return jump;
  if (op < 0xa0) return modrm;
  if ((op & 0xf7) == 0xa0 || (op & 0xf7) == 0xa1) return plain;
  if (op == 0xaa) return unknown;
  return op >= 0xc8 && op < 0xd0 ? plain : modrm;
}

struct maps {
  form first[256] = {}, second[256] = {};
  constexpr maps() {
    for (unsigned op = 0; op < 256; ++op) first[op] = one_byte(op), second[op] = two_bytes(op);
  }
};
constexpr maps forms;

bool is_prefix(unsigned b) {
  return b == 0x66 || b == 0x67 || b == 0xf2 || b == 0xf3 || b == 0xf0 || (b & 0xe7) == 0x26 || (b & 0xfe) == 0x64;
}

// The bytes of a ModRM byte and of what it brings with it.
unsigned modrm_length(const std::uint8_t* p, std::size_t left) {
  if (left == 0) return 16;
  const unsigned mod = p[0] >> 6, rm = p[0] & 7;
  if (mod == 3) return 1;
  unsigned length = rm == 4 ? 2 : 1;
  if (left < length) return 16;
  if (mod == 1) return length + 1;
  const bool absolute = mod == 0 && (rm == 5 || (rm == 4 && (p[1] & 7) == 5));
  return mod == 2 || absolute ? length + 4 : length;
}

// With VEX and EVEX every opcode but vzeroupper has a ModRM byte.
form vector_form(unsigned map, unsigned op, bool evex) {
  if (map == 1) {
    if (op == 0x77) return evex ? unknown : plain;
    return (op >= 0x70 && op < 0x74) || op == 0xc2 || (op >= 0xc4 && op < 0xc7) ? modrm_byte : modrm;
  }
  return map == 2 ? modrm : map == 3 ? modrm_byte : unknown;
}

}  // namespace

unsigned quick_length(const std::uint8_t* p, std::size_t size) {
  if (size > 15) size = 15;
  std::size_t i = 0;
  bool narrow = false, short_address = false, wide = false, any_prefix = false;
  for (; i < size && is_prefix(p[i]); ++i) {
    narrow = narrow || p[i] == 0x66;
    short_address = short_address || p[i] == 0x67;
    any_prefix = any_prefix || p[i] == 0xf2 || p[i] == 0xf3 || p[i] == 0xf0;
  }
  if (i < size && (p[i] & 0xf0) == 0x40) {
    wide = (p[i++] & 8) != 0;
    any_prefix = true;
    // Another prefix behind it makes it none.
    if (i < size && (is_prefix(p[i]) || (p[i] & 0xf0) == 0x40)) return 0;
  }
  if (i >= size) return 0;
  unsigned op = p[i++];
  form f;
  if (op == 0xc5 || op == 0xc4 || op == 0x62) {
    const std::size_t payload = op == 0xc5 ? 1 : op == 0xc4 ? 2 : 3;
    if (any_prefix || narrow || i + payload >= size) return 0;
    unsigned map = 1;
    if (op == 0xc4) map = p[i] & 0x1f;
    if (op == 0x62) {
      if ((p[i] & 0x0c) != 0 || (p[i + 1] & 4) == 0) return 0;
      map = p[i] & 7;
    }
    f = vector_form(map, p[i + payload], op == 0x62);
    i += payload + 1;
  } else if (op == 0x0f) {
    if (i == size) return 0;
    op = p[i++];
    f = forms.second[op];
    if (op == 0x38 || op == 0x3a) {
      if (i == size) return 0;
      ++i;
      f = op == 0x38 ? modrm : modrm_byte;
    }
  } else {
    f = forms.first[op];
  }
  const unsigned of_z = narrow && !wide ? 2 : 4;
  if (f >= modrm && f != jump && f != unknown) {
    const std::uint8_t reg = i < size ? static_cast<std::uint8_t>(p[i] >> 3 & 7) : 0;
    const unsigned length = modrm_length(p + i, size - i);
    i += length;
    if (f == modrm_byte) i += 1;
    if (f == modrm_z) i += of_z;
    if (f == group3 && reg < 2) i += op == 0xf6 ? 1 : of_z;
    return i <= size ? static_cast<unsigned>(i) : 0;
  }
  switch (f) {
    case plain:
      break;
    case byte:
      i += 1;
      break;
    case word:
      if (wide) return 0;
      i += 2;
      break;
    case word_byte:
      i += 3;
      break;
    case z:
      i += of_z;
      break;
    case v:
      i += wide ? 8 : of_z;
      break;
    case offset:
      i += short_address ? 4 : 8;
      break;
    case jump:
      if (narrow && !wide) return 0;
      i += 4;
      break;
    default:
      return 0;
  }
  return i <= size ? static_cast<unsigned>(i) : 0;
}

}  // namespace weft::shim
