// SPDX-License-Identifier: MIT
#include "shim/object_record.hpp"

#include <cstring>
#include <mutex>

#include "shim/site_table.hpp"

namespace weft::shim {

namespace {

constexpr unsigned max_records = 256;
constinit object_record records[max_records];  // a free one has an empty extent

bool is_free(const object_record& r) { return r.extent.end == 0; }

}  // namespace

object_record* keep_object(const image& object, bool later) {
  for (object_record& r : records) {
    if (!is_free(r)) continue;
    r.extent = object.extent();
    r.memory = island();
    r.later = later;
    const std::size_t length = std::strlen(object.name);
    const std::size_t kept = length < sizeof r.name ? length : sizeof r.name - 1;
    std::memcpy(r.name, object.name + (length - kept), kept);  // its end tells the most
    r.name[kept] = 0;
    return &r;
  }
  return nullptr;
}

bool is_known_object(const image& object) {
  for (const object_record& r : records) {
    if (!is_free(r) && r.extent.begin == object.extent().begin) return true;
  }
  return false;
}

const object_record* record_of(const char* name) {
  for (const object_record& r : records) {
    if (static_cast<const char*>(r.name) == name) return &r;
  }
  return nullptr;
}

void forget_objects(address_range range) {
  for (object_record& r : records) {
    if (is_free(r) || r.extent.begin < range.begin || r.extent.end > range.end) continue;
    const std::lock_guard guard(the_sites.lock);
    for (unsigned i = 0; i < the_sites.count; ++i) {
      if (the_sites.sites[i].object == static_cast<const char*>(r.name)) the_sites.free(i);
    }
    r.memory.release();
    r.extent = {};
  }
}

}  // namespace weft::shim
