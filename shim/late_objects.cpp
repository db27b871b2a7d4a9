// SPDX-License-Identifier: MIT
#include "shim/late_objects.hpp"

#include <elf.h>
#include <link.h>

#include <atomic>
#include <cstring>
#include <mutex>

#include "base/spinlock.hpp"
#include "base/syscall.hpp"
#include "shim/fd_link.hpp"
#include "shim/sites.hpp"

namespace weft::shim {

namespace {

// Loads of several namespaces, or of programs that load code in ways of their own, may overlap; those that find no place here
// are not patched.
struct noted {
  int fd = -1;
  unsigned long address = 0, offset = 0;
};
constexpr unsigned max_noted = 8;
constinit noted waiting[max_noted];
constinit std::atomic<unsigned> waiting_count{0};
constinit base::spinlock lock;

bool take(int fd, noted& out) noexcept {
  const std::lock_guard guard(lock);
  const unsigned n = waiting_count.load(std::memory_order_relaxed);
  for (unsigned i = 0; i < n; ++i) {
    if (waiting[i].fd != fd) continue;
    out = waiting[i];
    waiting[i] = waiting[n - 1];
    waiting_count.store(n - 1, std::memory_order_relaxed);
    return true;
  }
  return false;
}

bool read_at(int fd, void* to, std::size_t size, unsigned long offset) noexcept {
  return base::raw_syscall(SYS_pread64, fd, to, size, offset) == static_cast<long>(size);
}

constexpr unsigned max_headers = 64;

// The program headers as the file has them; the memory they tell of is mapped by now.
bool read_headers(int fd, ElfW(Phdr) (&headers)[max_headers], unsigned& count) noexcept {
  ElfW(Ehdr) file;
  if (!read_at(fd, &file, sizeof file, 0) || std::memcmp(file.e_ident, ELFMAG, SELFMAG) != 0) return false;
  if (file.e_ident[EI_CLASS] != ELFCLASS64 || file.e_machine != EM_X86_64 || file.e_phentsize != sizeof headers[0]) {
    return false;
  }
  count = file.e_phnum;
  return count <= max_headers && read_at(fd, headers, count * sizeof headers[0], file.e_phoff);
}

constexpr std::uint64_t page_of(std::uint64_t address) noexcept { return address & ~std::uint64_t{4095}; }

}  // namespace

void note_text(int fd, unsigned long address, unsigned long offset) noexcept {
  const std::lock_guard guard(lock);
  const unsigned n = waiting_count.load(std::memory_order_relaxed);
  if (n == max_noted) return;
  for (unsigned i = 0; i < n; ++i) {
    if (waiting[i].fd == fd) return;  // a second executable segment: the first tells where all lie
  }
  waiting[n] = {fd, address, offset};
  waiting_count.store(n + 1, std::memory_order_relaxed);
}

void patch_noted_text(int fd) noexcept {
  if (__builtin_expect(waiting_count.load(std::memory_order_relaxed) == 0, 1)) return;
  noted text;
  ElfW(Phdr) headers[max_headers];
  unsigned count;
  if (!take(fd, text) || !read_headers(fd, headers, count)) return;
  for (unsigned i = 0; i < count; ++i) {
    const ElfW(Phdr)& h = headers[i];
    if (h.p_type != PT_LOAD || (h.p_flags & PF_X) == 0 || page_of(h.p_offset) != text.offset) continue;
    char path[1008];
    path[read_fd_link(fd, path, sizeof path - 1).size()] = 0;
    dl_phdr_info info{};
    info.dlpi_addr = text.address - page_of(h.p_vaddr);
    info.dlpi_name = path;
    info.dlpi_phdr = headers;
    info.dlpi_phnum = static_cast<ElfW(Half)>(count);
    patch_new_object(image(info));
    return;
  }
}

}  // namespace weft::shim
