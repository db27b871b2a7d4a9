// SPDX-License-Identifier: MIT
#include <elf.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/words.hpp"
#include "shim/cli/checks.hpp"
#include "shim/cli/mapped_file.hpp"
#include "shim/scan.hpp"

namespace weft::shim::cli {
namespace {

constexpr std::size_t most_sites = 4096;
// The scanner's memory grows with the addresses that an object says it takes.
constexpr std::uint64_t largest_object = std::uint64_t{4} << 30;

struct site_tally {
  unsigned found = 0;
  unsigned left_on_purpose = 0;          // the return from a signal handler
  std::map<std::string, unsigned> left;  // by reason

  unsigned left_count() const {
    unsigned sum = 0;
    for (const auto& each : left) sum += each.second;
    return sum;
  }
};

// The object as it lies in its file.
image image_of(const mapped_file& file) {
  image result;
  const auto header = file.get<Elf64_Ehdr>(0);
  Elf64_Phdr unwind{};
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    const auto each = file.get<Elf64_Phdr>(header.e_phoff + std::uint64_t{i} * sizeof(Elf64_Phdr));
    if (each.p_type == PT_GNU_EH_FRAME) unwind = each;
    const std::string_view bytes = file.bytes(each.p_offset, each.p_filesz);
    if (each.p_type != PT_LOAD || bytes.empty() || each.p_vaddr > largest_object) continue;
    result.add(
        {each.p_vaddr, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), (each.p_flags & PF_X) != 0});
  }
  if (unwind.p_type == PT_GNU_EH_FRAME) result.set_eh_frame_hdr(unwind.p_vaddr);
  return result;
}

site_tally tally(const std::string& path, decoder& decode) {
  const mapped_file file(path);
  const image object = image_of(file);
  site_tally result;
  if (object.segment_count() == 0) return result;
  const std::size_t size = (scratch_size(object, most_sites) + 63) & ~std::size_t{63};
  const std::unique_ptr<void, decltype(&std::free)> scratch(std::aligned_alloc(64, size), std::free);
  if (scratch == nullptr) return result;
  std::memset(scratch.get(), 0, size);
  std::vector<found_site> sites(most_sites);
  sites.resize(find_sites(object, decode, object.extent(), sites.data(), sites.size(), scratch.get()));
  result.found = static_cast<unsigned>(sites.size());
  for (const found_site& each : sites) {
    if (each.k != kind::left) continue;
    if (each.reason == left_reason::sigreturn) {
      ++result.left_on_purpose;
    } else {
      ++result.left[reason_text(each.reason)];
    }
  }
  return result;
}

std::string why(const site_tally& sites) {
  std::string text;
  for (const auto& [reason, count] : sites.left) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + ": " + reason;
  }
  return text;
}

bool is_libc(std::string_view name) { return name.starts_with("libc.so.") || name.starts_with("ld-linux"); }

void check_object(const std::string& path, decoder& decode, findings& into) {
  const std::string name(base::last_component(path));
  const site_tally sites = tally(path, decode);
  const bool expected = is_libc(name);
  const unsigned wanted = sites.found - sites.left_on_purpose;
  if (wanted == 0) return;
  const std::string text = name + " has " + std::to_string(wanted) +
                           (wanted == 1 ? " system call instruction" : " system call instructions") +
                           (sites.left_on_purpose != 0 ? " (besides the return from signal handlers)" : "");
  if (sites.left.empty()) {
    into.push_back({expected ? level::ok : level::note, "syscalls", text + ", which can be patched", ""});
  } else {
    into.push_back(
        {expected ? level::note : level::warning, "syscalls",
         text + ", of which " + std::to_string(sites.left_count()) + " stay as they are (" + why(sites) + ")",
         "if one of them blocks, it holds up its hub: give that program more with --hubs"});
  }
}

}  // namespace

void check_syscalls(const std::string& path, const std::vector<library>& libraries, findings& into) {
  decoder decode;
  if (!decode.open()) return;
  check_object(path, decode, into);
  for (const library& each : libraries) check_object(each.path, decode, into);
}

}  // namespace weft::shim::cli
