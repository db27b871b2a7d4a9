// SPDX-License-Identifier: MIT
#pragma once

#include "shim/image.hpp"
#include "shim/patch.hpp"

namespace weft::shim {

/// An object whose text was looked through, for as long as it is mapped. Its sites name it by `name`.
struct object_record {
  address_range extent;
  island memory;       ///< ours, that goes with it
  bool later = false;  ///< brought by dlopen when threads ran already
  char name[1008] = {};
};

/// @return nullptr when there are more objects than anybody loads: such a one is patched, and never forgotten
object_record* keep_object(const image& object, bool later);

/// Whether one of its sort was looked through at this address.
bool is_known_object(const image& object);

/// The record that a site's `object` belongs to; nullptr if it has none.
const object_record* record_of(const char* name);

/// Before @p range is unmapped: the stubs and islands of what lies wholly in it are free for others.
void forget_objects(address_range range);

}  // namespace weft::shim
