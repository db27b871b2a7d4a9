// SPDX-License-Identifier: MIT
#include "shim/image.hpp"

#include <cstring>

namespace weft::shim {

namespace {

// Pointer encodings of .eh_frame_hdr and .eh_frame (LSB Core, 10.5.1).
constexpr std::uint8_t udata4 = 0x03;
constexpr std::uint8_t datarel_sdata4 = 0x3b;

template <class T>
T read(const std::uint8_t* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

}  // namespace

image::image(const dl_phdr_info& info) : name(info.dlpi_name != nullptr ? info.dlpi_name : "") {
  for (unsigned i = 0; i < info.dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info.dlpi_phdr[i];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_R) == 0) continue;
    std::uint64_t address = info.dlpi_addr + header.p_vaddr;
    add({address, reinterpret_cast<const std::uint8_t*>(address), header.p_memsz, (header.p_flags & PF_X) != 0});
  }
  for (unsigned i = 0; i < info.dlpi_phnum; ++i) {
    if (info.dlpi_phdr[i].p_type == PT_GNU_EH_FRAME) set_eh_frame_hdr(info.dlpi_addr + info.dlpi_phdr[i].p_vaddr);
  }
}

void image::add(const segment& s) {
  if (segment_count_ < max_segments) segments_[segment_count_++] = s;
}

void image::set_eh_frame_hdr(std::uint64_t address) {
  const std::uint8_t* header = at(address, 12);
  if (header == nullptr || header[0] != 1) return;
  // version, encoding of the pointer to .eh_frame (4 bytes in practice), of the count, of the table
  if ((header[1] & 0x0f) != 0x0b && (header[1] & 0x0f) != udata4) return;
  if (header[2] != udata4 || header[3] != datarel_sdata4) return;
  std::size_t count = read<std::uint32_t>(header + 8);
  const std::uint8_t* table = at(address + 12, count * 8);
  if (table == nullptr) return;
  table_ = table;
  table_base_ = address;
  functions_ = count;
}

void image::set_functions(const std::uint64_t* starts, std::size_t count) {
  starts_ = starts;
  functions_ = count;
}

const segment* image::find_segment(std::uint64_t address) const {
  for (unsigned i = 0; i < segment_count_; ++i) {
    if (segments_[i].range().contains(address)) return &segments_[i];
  }
  return nullptr;
}

bool image::executable(std::uint64_t address) const {
  const segment* s = find_segment(address);
  return s != nullptr && s->executable;
}

const std::uint8_t* image::at(std::uint64_t address, std::size_t size) const {
  const segment* s = find_segment(address);
  if (s == nullptr || s->size - (address - s->address) < size) return nullptr;
  return s->bytes + (address - s->address);
}

address_range image::extent() const {
  address_range all{~std::uint64_t{0}, 0};
  for (unsigned i = 0; i < segment_count_; ++i) {
    address_range r = segments_[i].range();
    if (r.begin < all.begin) all.begin = r.begin;
    if (r.end > all.end) all.end = r.end;
  }
  return all;
}

std::uint64_t image::start_of(std::size_t index) const {
  if (starts_ != nullptr) return starts_[index];
  return table_base_ + static_cast<std::uint64_t>(std::int64_t{read<std::int32_t>(table_ + 8 * index)});
}

// An FDE is: length, distance back to its CIE, start, size. The CIE names the encoding of start and size; all linkers
// write pcrel|sdata4, and if the start so read is the one of the table they did.
std::uint64_t image::fde_end(std::size_t index) const {
  constexpr std::uint64_t unknown = ~std::uint64_t{0};
  if (table_ == nullptr) return unknown;
  std::uint64_t fde =
      table_base_ + static_cast<std::uint64_t>(std::int64_t{read<std::int32_t>(table_ + 8 * index + 4)});
  const std::uint8_t* p = at(fde, 16);
  std::uint64_t begin = start_of(index);
  if (p == nullptr || fde + 8 + static_cast<std::uint64_t>(std::int64_t{read<std::int32_t>(p + 8)}) != begin) {
    return unknown;
  }
  return begin + read<std::uint32_t>(p + 12);
}

bool image::find_function(std::uint64_t pc, address_range& out, std::uint64_t* described_end) const {
  if (functions_ == 0 || pc < start_of(0)) return false;
  std::size_t low = 0, high = functions_;  // start_of(low) <= pc < start_of(high)
  while (high - low > 1) {
    std::size_t middle = (low + high) / 2;
    (start_of(middle) <= pc ? low : high) = middle;
  }
  const segment* s = find_segment(start_of(low));
  if (s == nullptr) return false;
  std::uint64_t limit = s->range().end;
  out = {start_of(low), high < functions_ && start_of(high) < limit ? start_of(high) : limit};
  if (described_end != nullptr) *described_end = fde_end(low);
  return out.contains(pc);
}

}  // namespace weft::shim
