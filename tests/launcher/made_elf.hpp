// SPDX-License-Identifier: MIT
#pragma once

#include <elf.h>

#include <cstring>
#include <string>
#include <vector>

namespace weft::test {

/// An ELF file made by hand: headers that say what a test wants, and no code.
class made_elf {
 public:
  made_elf() {
    std::memcpy(header_.e_ident, ELFMAG, SELFMAG);
    header_.e_ident[EI_CLASS] = ELFCLASS64;
    header_.e_ident[EI_DATA] = ELFDATA2LSB;
    header_.e_ident[EI_VERSION] = EV_CURRENT;
    header_.e_type = ET_EXEC;
    header_.e_machine = EM_X86_64;
    header_.e_ehsize = sizeof header_;
    header_.e_phentsize = sizeof(Elf64_Phdr);
    header_.e_shentsize = sizeof(Elf64_Shdr);
  }

  Elf64_Ehdr& header() { return header_; }
  made_elf& interpreter(const std::string& path) {
    interpreter_ = path;
    return *this;
  }
  made_elf& section(const std::string& name) {
    sections_.push_back(name);
    return *this;
  }

  /// The file's bytes: header, one segment if there is an interpreter, the sections' headers, the names.
  std::string bytes() const {
    Elf64_Ehdr header = header_;
    Elf64_Phdr segment{};
    std::uint64_t at = sizeof header;
    if (!interpreter_.empty()) {
      header.e_phoff = at;
      header.e_phnum = 1;
      at += sizeof segment;
    }
    std::string names(1, '\0');
    std::vector<Elf64_Shdr> table(1);
    for (const std::string& each : sections_) {
      Elf64_Shdr entry{};
      entry.sh_name = static_cast<Elf64_Word>(names.size());
      entry.sh_type = SHT_PROGBITS;
      names += each + '\0';
      table.push_back(entry);
    }
    table.emplace_back();  // the names' own
    header.e_shoff = at;
    header.e_shnum = static_cast<Elf64_Half>(table.size());
    header.e_shstrndx = static_cast<Elf64_Half>(table.size() - 1);
    at += table.size() * sizeof(Elf64_Shdr);
    table.back().sh_offset = at;
    table.back().sh_size = names.size();
    segment.p_type = PT_INTERP;
    segment.p_offset = at + names.size();
    segment.p_filesz = interpreter_.size() + 1;
    std::string result;
    append(result, &header, sizeof header);
    if (header.e_phnum == 1) append(result, &segment, sizeof segment);
    append(result, table.data(), table.size() * sizeof(Elf64_Shdr));
    return result + names + interpreter_ + '\0';
  }

 private:
  static void append(std::string& to, const void* from, std::size_t size) {
    to.append(static_cast<const char*>(from), size);
  }

  Elf64_Ehdr header_{};
  std::string interpreter_;
  std::vector<std::string> sections_;
};

}  // namespace weft::test
