// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace weft::shim::cli {

/// A file in memory, to be read. Everything that is read from it is checked against its size first.
class mapped_file {
 public:
  /// Maps nothing if @p path is no regular file or cannot be read.
  explicit mapped_file(const std::string& path);
  ~mapped_file();
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;

  /// Empty where it is not all there.
  std::string_view bytes(std::uint64_t offset, std::uint64_t size) const;

  /// Copies what stands at an offset; zeros where it is not all there.
  template <class T>
  T get(std::uint64_t offset) const {
    T result{};
    const std::string_view from = bytes(offset, sizeof result);
    if (!from.empty()) std::memcpy(&result, from.data(), sizeof result);
    return result;
  }

  /// The text at @p offset of a table of texts that end in a zero.
  std::string text(std::uint64_t table, std::uint64_t table_size, std::uint64_t offset) const;

 private:
  std::string_view bytes_;
};

}  // namespace weft::shim::cli
