// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weft {

/// Bytes that do not hold what is asked of them.
class codec_error : public std::runtime_error {
 public:
  explicit codec_error(const char* what);
  ~codec_error() override;
};

class encoder;
class decoder;

/// How a T becomes bytes and is made of them again, between processes of one program: what a `process_pool` sends.
///
/// Known are trivially copyable types, std::string, std::optional, tuples, pairs, arrays, and containers of such that can
/// be filled by `insert`. Pointers, references and views are refused at compile time: they mean nothing elsewhere. For a
/// type of your own that is not trivially copyable specialise this:
///
///     template <>
///     struct weft::codec<person> {
///       static void encode(weft::encoder& to, const person& p) { to.put(p.name, p.age); }
///       static person decode(weft::decoder& from) {
///         auto name = from.get<std::string>();
///         return {std::move(name), from.get<int>()};
///       }
///     };
///
/// The form is that of this machine and this build: it is for no file and no other host. Decoding checks lengths, so that
/// bytes that were cut off or mixed up are told by codec_error; it does not check values.
template <class T>
struct codec;

/// Collects bytes.
class encoder {
 public:
  void raw(const void* from, std::size_t size) { bytes_.append(static_cast<const char*>(from), size); }
  template <class... T>
  void put(const T&... values) {
    (codec<T>::encode(*this, values), ...);
  }
  void count(std::size_t n) {
    const std::uint64_t wide = n;
    raw(&wide, sizeof wide);
  }
  const std::string& bytes() const noexcept { return bytes_; }
  std::string take() && noexcept { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Reads what an encoder collected, in the same order.
class decoder {
 public:
  explicit decoder(std::span<const char> bytes) noexcept : bytes_(bytes) {}

  /// The next @p size bytes. @throws codec_error  there are fewer
  std::span<const char> raw(std::size_t size);
  template <class T>
  T get() {
    return codec<T>::decode(*this);
  }
  /// A number of elements, of which each takes a byte at least. @throws codec_error  there cannot be so many
  std::size_t count();
  std::size_t left() const noexcept { return bytes_.size(); }

 private:
  std::span<const char> bytes_;
};

namespace detail {

template <class T>
concept tuple_like = requires {
  std::tuple_size<T>::value;
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

// A container that keeps its elements, not a view: it can be filled.
template <class C>
concept container = requires(C& c, const C& given, typename C::value_type&& value) {
  given.size();
  given.begin();
  c.insert(c.end(), std::move(value));
};

// A view is trivially copyable, and so is what wraps a pointer; both have a way to what they do not keep.
template <class T>
concept refers_elsewhere = std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_array_v<T> ||
    requires(const T& t) {
  t.data();
} || requires(const T& t) {
  typename T::type;
  t.get();
} || requires(const T& t) {
  t.begin();
  t.end();
};

template <class T>
concept sendable_bytes = std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T> && !refers_elsewhere<T>;

// A map's elements have a key that cannot be assigned.
template <class T>
struct decoded {
  using type = std::remove_const_t<T>;
};
template <class A, class B>
struct decoded<std::pair<A, B>> {
  using type = std::pair<std::remove_const_t<A>, std::remove_const_t<B>>;
};

template <class Tuple, std::size_t... I>
Tuple decode_tuple(decoder& from, std::index_sequence<I...>) {
  return Tuple{from.get<typename decoded<std::tuple_element_t<I, Tuple>>::type>()...};  // braces: from left to right
}

}  // namespace detail

template <class T>
struct codec {
  static void encode(encoder& to, const T& value) {
    if constexpr (detail::tuple_like<T>) {
      std::apply([&to](const auto&... part) { to.put(part...); }, value);
      if constexpr (std::tuple_size_v<T> == 0) to.put('\0');  // no element takes no byte
    } else if constexpr (detail::is_optional<T>) {
      to.put(value.has_value());
      if (value) to.put(*value);
    } else if constexpr (detail::container<T>) {
      to.count(value.size());
      if constexpr (in_one_piece()) {
        to.raw(value.data(), value.size() * sizeof(typename T::value_type));
      } else {
        for (const auto& each : value) to.put(static_cast<const typename T::value_type&>(each));
      }
    } else {
      static_assert(detail::sendable_bytes<T>, "weft::codec does not know this type: specialise it");
      to.raw(&value, sizeof value);
    }
  }

  static T decode(decoder& from) {
    if constexpr (detail::tuple_like<T>) {
      if constexpr (std::tuple_size_v<T> == 0) from.raw(1);
      return detail::decode_tuple<T>(from, std::make_index_sequence<std::tuple_size_v<T>>());
    } else if constexpr (detail::is_optional<T>) {
      return from.get<bool>() ? T(from.get<typename T::value_type>()) : T();
    } else if constexpr (detail::container<T>) {
      T made;
      std::size_t left = from.count();
      if constexpr (in_one_piece()) {
        using element = typename T::value_type;
        if (left > from.left() / sizeof(element)) throw codec_error("weft: a container's elements are missing");
        made.resize(left);
        if (left != 0) std::memcpy(made.data(), from.raw(left * sizeof(element)).data(), left * sizeof(element));
      } else {
        for (; left != 0; --left)
          made.insert(made.end(), from.get<typename detail::decoded<typename T::value_type>::type>());
      }
      return made;
    } else {
      static_assert(detail::sendable_bytes<T>, "weft::codec does not know this type: specialise it");
      T made;
      std::memcpy(static_cast<void*>(std::addressof(made)), from.raw(sizeof made).data(), sizeof made);
      return made;
    }
  }

 private:
  static constexpr bool in_one_piece() {
    if constexpr (detail::sendable_bytes<typename T::value_type>) {
      return requires(T & c) {
        c.resize(std::size_t{});
        { c.data() } -> std::same_as<typename T::value_type*>;
      };
    } else {
      return false;
    }
  }
};

}  // namespace weft
