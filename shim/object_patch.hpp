// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "shim/image.hpp"
#include "shim/object_record.hpp"
#include "shim/other_threads.hpp"
#include "shim/patch.hpp"
#include "shim/scan.hpp"

namespace weft::shim {

/// The patches of one object, from the search to the writing. The steps come apart so that several objects are searched, with libc's
/// help, before the first is written to.
class object_patch {
 public:
  /// @param patches  room for what is to be written
  /// @param later  the object came when threads ran already
  object_patch(image& object, patch* patches, bool later = false) : object_(object), patches_(patches), later_(later) {}

  /// Finds the sites in @p range and takes them. @param found  room for max_sites sites, free again afterwards
  void find(address_range range, decoder& decode, bool jumps, found_site* found, const other_threads& others);
  /// Gives each site a stub and makes what is to be written. Changes no text. To be called once.
  void take(found_site* found, std::size_t count, const other_threads& others);
  /// Changes the text. Every signal must be blocked; calls nothing in libc.
  void write(const text_writer& writer);
  /// After writing, when libc may be called again.
  void conclude();

  std::size_t patch_count() const { return patch_count_; }

 private:
  void connect(found_site& f, unsigned number);
  void drop(left_reason why);

  image& object_;
  patch* patches_;
  std::size_t patch_count_ = 0;
  object_record* record_ = nullptr;
  bool later_;
  bool failed_ = false;
  island island_;
};

}  // namespace weft::shim
