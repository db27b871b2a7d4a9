// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>

namespace weft {

namespace detail {
// An element that itself points to memory: a range of those is a sequence of buffers and never taken byte by byte.
template <class Element>
concept points_elsewhere = std::is_pointer_v<Element> || requires(Element element) {
  element.data();
  element.size();
};
template <class Range, class Element = std::remove_pointer_t<decltype(std::data(std::declval<Range&>()))>>
concept plain_bytes = requires(Range& range) {
  std::size(range);
  requires std::is_trivially_copyable_v<Element> && !points_elsewhere<std::remove_cv_t<Element>>;
};
template <class Range>
concept writable_bytes =
    plain_bytes<Range> && !std::is_const_v<std::remove_pointer_t<decltype(std::data(std::declval<Range&>()))>>;
}  // namespace detail

/// Memory that a call may fill: the argument of every read. For memory that is only looked at see `const_buffer`.
///
/// Arrays, std::array, std::vector, std::string, std::span of trivially copyable elements convert by themselves; anything
/// else is given as pointer and bytes.
///
///     char line[512];
///     std::size_t n = stream.read_some(line);
///
/// Lifetime  Borrows: what it points to must outlive the call it is given to.
/// Cost      Two words.
class mutable_buffer {
 public:
  constexpr mutable_buffer() noexcept = default;
  constexpr mutable_buffer(void* data, std::size_t bytes) noexcept : data_(data), size_(bytes) {}
  template <class Range>
  requires(detail::writable_bytes<std::remove_reference_t<Range>> &&
           !std::is_same_v<std::remove_cvref_t<Range>, mutable_buffer>)
      // NOLINTNEXTLINE(google-explicit-constructor,bugprone-forwarding-reference-overload)
      constexpr mutable_buffer(Range&& range) noexcept
      : data_(std::data(range)), size_(std::size(range) * sizeof *std::data(range)) {}

  constexpr void* data() const noexcept { return data_; }
  /// Bytes.
  constexpr std::size_t size() const noexcept { return size_; }
  /// What is left behind the first @p bytes; nothing if there are not so many.
  constexpr mutable_buffer operator+(std::size_t bytes) const noexcept {
    const std::size_t skip = bytes < size_ ? bytes : size_;
    return {static_cast<std::byte*>(data_) + skip, size_ - skip};
  }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Memory that a call only looks at: the argument of every write.
///
/// Converts from what a `mutable_buffer` does and from constant ranges. An array of const char, such as a string literal,
/// counts without its final zero; a pointer to char does not convert: write std::string_view(p).
class const_buffer {
 public:
  constexpr const_buffer() noexcept = default;
  constexpr const_buffer(const void* data, std::size_t bytes) noexcept : data_(data), size_(bytes) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  constexpr const_buffer(mutable_buffer other) noexcept : data_(other.data()), size_(other.size()) {}
  template <class Range>
  requires(detail::plain_bytes<std::remove_reference_t<Range>> &&
           !std::is_same_v<std::remove_cvref_t<Range>, const_buffer> &&
           !std::is_same_v<std::remove_cvref_t<Range>, mutable_buffer>)
      // NOLINTNEXTLINE(google-explicit-constructor,bugprone-forwarding-reference-overload)
      constexpr const_buffer(Range&& range) noexcept
      : data_(std::data(range)), size_(std::size(range) * sizeof *std::data(range)) {
    if constexpr (is_literal<std::remove_reference_t<Range>>) {
      if (range[size_ - 1] == '\0') --size_;
    }
  }

  constexpr const void* data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr const_buffer operator+(std::size_t bytes) const noexcept {
    const std::size_t skip = bytes < size_ ? bytes : size_;
    return {static_cast<const std::byte*>(data_) + skip, size_ - skip};
  }

 private:
  template <class Type>
  static constexpr bool is_literal = std::is_array_v<Type>&& std::is_same_v<std::remove_extent_t<Type>, const char>;

  const void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace weft
