// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace weft::base {

/// A number that prints in base 16 with a leading 0x.
struct hex {
  std::uint64_t value;
};

/// Text built in a buffer of fixed size that the caller owns.
///
/// Use it where libc's stdio and allocator are out of bounds: in a constructor that runs before
/// libc is ready, in a hook, in a signal handler. What does not fit is cut, never written past the end.
class text {
 public:
  text(char* buffer, std::size_t capacity) noexcept : buffer_(buffer), capacity_(capacity) {}
  text(const text&) = delete;
  text& operator=(const text&) = delete;

  text& operator<<(std::string_view part) noexcept;
  text& operator<<(const char* part) noexcept;
  text& operator<<(char c) noexcept;
  text& operator<<(hex number) noexcept;

  template <class T>
  requires(std::integral<T> && !std::same_as<T, char> && !std::same_as<T, bool>) text& operator<<(T number) noexcept {
    if constexpr (std::is_signed_v<T>) {
      return signed_number(number);
    } else {
      return unsigned_number(number);
    }
  }

  /// Adds @p number with thousands set apart by commas, at the right end of @p width columns.
  text& right(std::uint64_t number, std::size_t width) noexcept;
  /// Adds @p part at the right end of @p width columns.
  text& right(std::string_view part, std::size_t width) noexcept;
  /// Adds @p part and fills up to @p width columns.
  text& left(std::string_view part, std::size_t width) noexcept;

  std::string_view view() const noexcept { return {buffer_, length_}; }
  bool empty() const noexcept { return length_ == 0; }
  void clear() noexcept { length_ = 0; }

 private:
  text& signed_number(std::int64_t number) noexcept;
  text& unsigned_number(std::uint64_t number) noexcept;
  text& fill(std::size_t columns) noexcept;

  char* buffer_;
  std::size_t capacity_;
  std::size_t length_ = 0;
};

/// A text with its buffer inside, to stand on the stack.
template <std::size_t Capacity>
class fixed_text : public text {
 public:
  fixed_text() noexcept : text(storage_, Capacity) {}

 private:
  char storage_[Capacity];
};

}  // namespace weft::base
