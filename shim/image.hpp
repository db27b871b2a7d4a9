// SPDX-License-Identifier: MIT
#pragma once

#include <link.h>

#include <cstddef>
#include <cstdint>

namespace weft::shim {

struct address_range {
  std::uint64_t begin = 0, end = 0;
  bool contains(std::uint64_t a) const { return begin <= a && a < end; }
};

/// One mapped part of an object. `address` is what the code believes it runs at, `bytes` is where we can read it: the
/// same for a loaded object, different for a file that is only looked at.
struct segment {
  std::uint64_t address = 0;
  const std::uint8_t* bytes = nullptr;
  std::size_t size = 0;
  bool executable = false;
  address_range range() const { return {address, address + size}; }
};

/// An ELF object as the scanner sees it: its segments and its table of functions. Owns nothing.
///
/// The functions come from the sorted search table in .eh_frame_hdr (Linux Standard Base, "Exception Frames"), which
/// every object that can be unwound has, also when it is stripped.
class image {
 public:
  static constexpr unsigned max_segments = 16;

  const char* name = "";

  image() = default;
  /// An object of this process.
  explicit image(const dl_phdr_info& info);

  void add(const segment& s);
  /// Takes the search table found at @p address; without one, or with one in an encoding that no linker writes, no
  /// function is known.
  void set_eh_frame_hdr(std::uint64_t address);
  /// For tests: function starts in ascending order, each reaching to the next one.
  void set_functions(const std::uint64_t* starts, std::size_t count);

  unsigned segment_count() const { return segment_count_; }
  const segment& segment_at(unsigned i) const { return segments_[i]; }
  const segment* find_segment(std::uint64_t address) const;
  /// Whether code lies at @p address.
  bool executable(std::uint64_t address) const;
  /// @return where @p size bytes at @p address can be read, or nullptr.
  const std::uint8_t* at(std::uint64_t address, std::size_t size) const;
  /// The lowest and highest address of the object.
  address_range extent() const;

  bool has_functions() const { return functions_ != 0; }
  /// From the start of the function that holds @p pc to the start of the next.
  /// @param described_end  set to where the function's unwind information ends, ~0 if that is not known. What lies between there and
  ///                       the next function is padding or tables; but glibc's clone ends its own ahead of its syscall.
  bool find_function(std::uint64_t pc, address_range& out, std::uint64_t* described_end = nullptr) const;

 private:
  std::uint64_t start_of(std::size_t index) const;
  std::uint64_t fde_end(std::size_t index) const;

  segment segments_[max_segments];
  unsigned segment_count_ = 0;
  const std::uint64_t* starts_ = nullptr;
  const std::uint8_t* table_ = nullptr;  // pairs of int32, relative to table_base_: function, its FDE
  std::uint64_t table_base_ = 0;
  std::size_t functions_ = 0;
};

}  // namespace weft::shim
