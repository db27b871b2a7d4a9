// SPDX-License-Identifier: MIT
#include "shim/patch.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <cstring>

#include "base/syscall.hpp"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

namespace weft::shim {

namespace {

constexpr std::uint64_t page = 4096;
constexpr std::int64_t reach = (std::int64_t{1} << 31) - (1 << 20);  // less a margin for what surrounds the two ends

std::uint64_t page_down(std::uint64_t a) { return a & ~(page - 1); }
std::uint64_t page_up(std::uint64_t a) { return (a + page - 1) & ~(page - 1); }

void put32(std::uint8_t* out, std::uint64_t from_end, std::uint64_t target) {
  std::int32_t distance = static_cast<std::int32_t>(target - from_end);
  std::memcpy(out, &distance, sizeof distance);
}

// Not memcpy: the compiler may call libc's.
void copy(std::uint64_t to, const std::uint8_t* from, std::size_t n) {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

bool protect(std::uint64_t from, std::uint64_t to, int how) {
  return !base::is_error(base::raw_syscall(SYS_mprotect, from, to - from, how));
}

}  // namespace

bool in_reach(std::uint64_t from, std::uint64_t to) {
  std::int64_t distance = static_cast<std::int64_t>(to - from);
  return -reach < distance && distance < reach;
}

bool island::reserve(address_range object, std::size_t size) {
  size = page_up(size);
  std::uint64_t below = page_down(object.begin), above = page_up(object.end);
  // Below the object first: behind a program lies its heap, which must be able to grow.
  constexpr std::uint64_t step = std::uint64_t{1} << 24;
  for (unsigned n = 0; n < 240; ++n) {
    std::uint64_t at = n < 120 ? below - size - n * step : above + (n - 120) * step + (std::uint64_t{1} << 26);
    if (n < 120 && below < size + n * step + (1 << 16)) continue;  // vm.mmap_min_addr
    if (!in_reach(at, object.end) || !in_reach(at, object.begin)) continue;
    long got = base::raw_syscall(SYS_mmap, at, size, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (base::is_error(got)) continue;
    if (static_cast<std::uint64_t>(got) != at) {  // kernels before 4.17 take the address as a hint
      base::raw_syscall(SYS_munmap, got, size);
      continue;
    }
    memory_ = reinterpret_cast<std::uint8_t*>(got);
    size_ = size;
    used_ = 0;
    return true;
  }
  return false;
}

bool island::finish() {
  std::uint64_t at = reinterpret_cast<std::uint64_t>(memory_);
  return memory_ == nullptr || protect(at, at + size_, PROT_READ | PROT_EXEC);
}

void island::release() {
  if (memory_ != nullptr) base::raw_syscall(SYS_munmap, memory_, size_);
  memory_ = nullptr;
}

void island::put(const std::uint8_t* bytes, std::size_t n) {
  std::memcpy(memory_ + used_, bytes, n);
  used_ += n;
}

void island::put_jump(std::uint64_t target) {
  if (in_reach(here(), target)) {
    std::uint8_t code[5] = {0xe9};
    put32(code + 1, here() + 5, target);
    put(code, sizeof code);
  } else {
    std::uint8_t code[14] = {0xff, 0x25};  // jmp *0(%rip), and the address behind it
    std::memcpy(code + 6, &target, sizeof target);
    put(code, sizeof code);
  }
}

bool island::put_moved(const move_plan& plan) {
  std::uint8_t code[16];
  switch (plan.how) {
    case movable::as_is:
    case movable::end:
      put(plan.code.bytes, plan.code.length);
      return true;
    case movable::relative:
      if (!in_reach(here(), plan.target)) return false;
      std::memcpy(code, plan.code.bytes, plan.code.length);
      put32(code + plan.displacement, here() + plan.code.length, plan.target);
      put(code, plan.code.length);
      return true;
    case movable::jump:
      put_jump(plan.target);
      return true;
    case movable::condition:
      if (!in_reach(here(), plan.target)) return false;
      code[0] = 0x0f;
      code[1] = static_cast<std::uint8_t>(0x80 | plan.condition);
      put32(code + 2, here() + 6, plan.target);
      put(code, 6);
      return true;
    case movable::no:
      break;
  }
  return false;
}

patch make_patch(const found_site& site, std::uint64_t target) {
  patch p;
  p.address = site.window;
  p.length = site.window_length;
  p.bytes[0] = 0xe9;
  put32(p.bytes + 1, site.window + 5, target);
  // Nothing falls through to what is left of the window: a trap shows it should that ever be wrong. Before a syscall
  // that stays, something harmless is left, so that disassembly of the text still makes sense.
  std::memset(p.bytes + 5, site.k == kind::mov_imm ? 0x90 : 0xcc, sizeof p.bytes - 5);
  return p;
}

bool text_may_change(const char* path) {
  // An object whose file cannot be opened, after a chroot say, has to do with what held for those before it.
  static bool verdict = false;
  long fd = base::raw_syscall(SYS_openat, AT_FDCWD, *path != '\0' ? path : "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
  if (base::is_error(fd)) return verdict;
  long at = base::raw_syscall(SYS_mmap, nullptr, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  base::raw_syscall(SYS_close, fd);
  verdict = false;
  if (base::is_error(at)) return false;
  std::uint64_t scratch = static_cast<std::uint64_t>(at);
  if (protect(scratch, scratch + page, PROT_READ | PROT_WRITE)) {
    *reinterpret_cast<volatile char*>(at) = 0;
    verdict = protect(scratch, scratch + page, PROT_READ | PROT_EXEC);
  }
  base::raw_syscall(SYS_munmap, scratch, page);
  return verdict;
}

text_writer::text_writer(bool others_run) : others_run_(others_run) {
  if (others_run) memory_ = base::raw_syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_WRONLY | O_CLOEXEC, 0);
}

text_writer::~text_writer() {
  if (others_run_ && !base::is_error(memory_)) base::raw_syscall(SYS_close, memory_);
}

bool text_writer::write(const patch* patches, std::size_t count) const {
  if (count == 0) return true;
  if (others_run_) {
    if (base::is_error(memory_)) return false;
    for (std::size_t i = 0; i < count; ++i) {
      const patch& p = patches[i];
      long written = base::raw_syscall(SYS_pwrite64, memory_, p.bytes, p.length, p.address);
      if (written != p.length) return i != 0;  // refused at the first, if at all
    }
    return true;
  }
  std::uint64_t from = page_down(patches[0].address);
  std::uint64_t to = page_up(patches[count - 1].address + patches[count - 1].length);
  if (!protect(from, to, PROT_READ | PROT_WRITE)) return false;
  for (std::size_t i = 0; i < count; ++i) copy(patches[i].address, patches[i].bytes, patches[i].length);
  return protect(from, to, PROT_READ | PROT_EXEC);
}

}  // namespace weft::shim
