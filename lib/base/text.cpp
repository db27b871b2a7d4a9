// SPDX-License-Identifier: MIT
#include "base/text.hpp"

namespace weft::base {
namespace {

// Long enough for 2^64-1 in any base from 10 up, with commas.
constexpr std::size_t digits_room = 32;

// Writes from the end of `room` backwards and returns the part that was used.
std::string_view digits(char (&room)[digits_room], std::uint64_t number, unsigned radix, bool commas) noexcept {
  std::size_t at = digits_room;
  unsigned written = 0;
  do {
    if (commas && written != 0 && written % 3 == 0) room[--at] = ',';
    room[--at] = "0123456789abcdef"[number % radix];
    number /= radix;
    ++written;
  } while (number != 0);
  return {room + at, digits_room - at};
}

}  // namespace

text& text::operator<<(std::string_view part) noexcept {
  for (char c : part) *this << c;
  return *this;
}

text& text::operator<<(const char* part) noexcept { return *this << std::string_view(part ? part : "(none)"); }

text& text::operator<<(char c) noexcept {
  if (length_ < capacity_) buffer_[length_++] = c;
  return *this;
}

text& text::operator<<(hex number) noexcept {
  char room[digits_room];
  return *this << "0x" << digits(room, number.value, 16, false);
}

text& text::signed_number(std::int64_t number) noexcept {
  auto magnitude = static_cast<std::uint64_t>(number);
  if (number < 0) {
    *this << '-';
    magnitude = 0 - magnitude;
  }
  return unsigned_number(magnitude);
}

text& text::unsigned_number(std::uint64_t number) noexcept {
  char room[digits_room];
  return *this << digits(room, number, 10, false);
}

text& text::fill(std::size_t columns) noexcept {
  while (columns-- > 0) *this << ' ';
  return *this;
}

text& text::right(std::uint64_t number, std::size_t width) noexcept {
  char room[digits_room];
  return right(digits(room, number, 10, true), width);
}

text& text::right(std::string_view part, std::size_t width) noexcept {
  if (part.size() < width) fill(width - part.size());
  return *this << part;
}

text& text::left(std::string_view part, std::size_t width) noexcept {
  *this << part;
  if (part.size() < width) fill(width - part.size());
  return *this;
}

}  // namespace weft::base
