// SPDX-License-Identifier: MIT
#include "shim/cli/elf.hpp"

#include <elf.h>

#include <string_view>

#include "shim/cli/mapped_file.hpp"

namespace weft::shim::cli {
namespace {

class reader {
 public:
  reader(const mapped_file& file, elf_summary& into) : file_(file), header_(file.get<Elf64_Ehdr>(0)), into_(into) {}

  void segments() {
    Elf64_Phdr dynamic{};
    for (unsigned i = 0; i < header_.e_phnum; ++i) {
      const auto segment = file_.get<Elf64_Phdr>(header_.e_phoff + std::uint64_t{i} * sizeof(Elf64_Phdr));
      if (segment.p_type == PT_INTERP) {
        into_.interpreter = file_.text(segment.p_offset, segment.p_filesz, 0);
      } else if (segment.p_type == PT_DYNAMIC) {
        dynamic = segment;
        into_.has_dynamic_section = true;
      } else if (segment.p_type == PT_LOAD) {
        loads_.push_back(segment);
      }
    }
    if (into_.has_dynamic_section) dynamic_entries(dynamic);
  }

  void sections(bool with_functions) {
    const auto names = section(header_.e_shstrndx);
    for (unsigned i = 0; i < header_.e_shnum; ++i) {
      const Elf64_Shdr each = section(i);
      const std::string name = file_.text(names.sh_offset, names.sh_size, each.sh_name);
      if (!name.empty()) into_.sections.insert(name);
      if (with_functions && (each.sh_type == SHT_SYMTAB || each.sh_type == SHT_DYNSYM)) symbols(each);
    }
  }

 private:
  Elf64_Shdr section(unsigned index) const {
    return file_.get<Elf64_Shdr>(header_.e_shoff + std::uint64_t{index} * sizeof(Elf64_Shdr));
  }

  std::uint64_t offset_of(std::uint64_t address) const {
    for (const Elf64_Phdr& load : loads_) {
      if (address >= load.p_vaddr && address - load.p_vaddr < load.p_filesz) {
        return load.p_offset + (address - load.p_vaddr);
      }
    }
    return UINT64_MAX;
  }

  void dynamic_entries(const Elf64_Phdr& dynamic) {
    std::uint64_t strings = 0;
    std::uint64_t strings_size = 0;
    std::vector<std::uint64_t> needed;
    for (std::uint64_t at = 0; at + sizeof(Elf64_Dyn) <= dynamic.p_filesz; at += sizeof(Elf64_Dyn)) {
      const auto entry = file_.get<Elf64_Dyn>(dynamic.p_offset + at);
      switch (entry.d_tag) {
        case DT_NULL:
          at = dynamic.p_filesz;
          break;
        case DT_NEEDED:
          needed.push_back(entry.d_un.d_val);
          break;
        case DT_STRTAB:
          strings = entry.d_un.d_ptr;
          break;
        case DT_STRSZ:
          strings_size = entry.d_un.d_val;
          break;
        case DT_TEXTREL:
          into_.relocates_text = true;
          break;
        case DT_FLAGS:
          into_.relocates_text |= (entry.d_un.d_val & DF_TEXTREL) != 0;
          break;
        case DT_FLAGS_1:
          into_.is_pie = (entry.d_un.d_val & DF_1_PIE) != 0;
          break;
        default:
          break;
      }
    }
    for (std::uint64_t name : needed) {
      into_.needed.push_back(file_.text(offset_of(strings), strings_size, name));
    }
  }

  void symbols(const Elf64_Shdr& table) {
    const Elf64_Shdr names = section(table.sh_link);
    const std::uint64_t count = table.sh_size / sizeof(Elf64_Sym);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t at = table.sh_offset + i * sizeof(Elf64_Sym);
      if (file_.bytes(at, sizeof(Elf64_Sym)).empty()) return;
      const auto symbol = file_.get<Elf64_Sym>(at);
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
      into_.functions.insert(file_.text(names.sh_offset, names.sh_size, symbol.st_name));
    }
  }

  const mapped_file& file_;
  Elf64_Ehdr header_;
  elf_summary& into_;
  std::vector<Elf64_Phdr> loads_;
};

}  // namespace

std::optional<elf_summary> read_elf(const std::string& path, bool with_functions) {
  const mapped_file file(path);
  const std::string_view identity = file.bytes(0, EI_NIDENT);
  if (identity.empty() || identity.substr(0, SELFMAG) != ELFMAG) return std::nullopt;
  elf_summary result;
  // Both classes have the type and the machine in the same place.
  const auto start = file.get<Elf32_Ehdr>(0);
  result.is_64_bit = identity[EI_CLASS] == ELFCLASS64;
  result.type = start.e_type;
  result.machine = start.e_machine;
  if (result.is_64_bit && identity[EI_DATA] == ELFDATA2LSB) {
    reader from(file, result);
    from.segments();
    from.sections(with_functions);
  }
  return result;
}

}  // namespace weft::shim::cli
