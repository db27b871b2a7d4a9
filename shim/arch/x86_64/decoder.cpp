// SPDX-License-Identifier: MIT
#include "shim/arch/x86_64/decoder.hpp"

#include <capstone/capstone.h>
#include <sys/mman.h>

#include <cstdarg>
#include <cstring>

#include "base/syscall.hpp"

namespace weft::shim {

namespace {

// One arena: at most one decoder is open at a time (patching happens while the process has one thread). Capstone takes about 20 KiB.
constexpr std::size_t arena_size = 1 << 20;
char* arena = nullptr;
std::size_t arena_used = 0;

void* arena_malloc(std::size_t n) {
  // The size stands before each block for arena_realloc.
  std::size_t start = (arena_used + 15) / 16 * 16 + 16;
  if (n > arena_size || start + n > arena_size) return nullptr;
  arena_used = start + n;
  std::memcpy(arena + start - sizeof n, &n, sizeof n);
  return arena + start;
}

void* arena_calloc(std::size_t n, std::size_t size) { return arena_malloc(n * size); }  // fresh pages are zero

void arena_free(void*) {}

void* arena_realloc(void* old, std::size_t n) {
  void* fresh = arena_malloc(n);
  if (fresh != nullptr && old != nullptr) {
    std::size_t size;
    std::memcpy(&size, static_cast<char*>(old) - sizeof size, sizeof size);
    std::memcpy(fresh, old, size < n ? size : n);
  }
  return fresh;
}

// Capstone prints each instruction; nobody reads it.
int print_nothing(char* out, std::size_t size, const char*, va_list) {
  if (size != 0) *out = '\0';
  return 0;
}

std::int32_t read32(const std::uint8_t* p) {
  std::int32_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

std::uint64_t relative_to(std::uint64_t base, std::int64_t distance) {
  return base + static_cast<std::uint64_t>(distance);
}

// The opcode behind prefixes that a branch may carry (bnd, notrack, branch hints).
unsigned branch_prefixes(const instruction& code) {
  unsigned i = 0;
  while (i + 1u < code.length && (code.bytes[i] == 0xf2 || code.bytes[i] == 0x2e || code.bytes[i] == 0x3e)) ++i;
  return i;
}

}  // namespace

bool decoder::open() {
  if (arena == nullptr) {
    long pages =
        base::raw_syscall(SYS_mmap, nullptr, arena_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base::is_error(pages)) return false;
    arena = reinterpret_cast<char*>(pages);
    arena_used = 0;
  }
  cs_opt_mem memory{arena_malloc, arena_calloc, arena_realloc, arena_free, print_nothing};
  csh handle = 0;
  if (cs_option(0, CS_OPT_MEM, reinterpret_cast<std::size_t>(&memory)) != CS_ERR_OK ||
      cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK) {
    close();
    return false;
  }
  handle_ = handle;
  cs_option(handle_, CS_OPT_DETAIL, CS_OPT_ON);
  insn_ = cs_malloc(handle_);  // with room for details
  cs_option(handle_, CS_OPT_DETAIL, CS_OPT_OFF);
  return insn_ != nullptr;
}

void decoder::close() {
  handle_ = 0;
  insn_ = nullptr;
  if (arena != nullptr) base::raw_syscall(SYS_munmap, arena, arena_size);
  arena = nullptr;
}

bool decoder::decode(const std::uint8_t* p, std::size_t size, std::uint64_t address, instruction& out) {
  std::uint64_t next = address;
  if (!cs_disasm_iter(handle_, &p, &size, &next, insn_)) return false;
  if (insn_->size > sizeof out.bytes) return false;
  out.address = address;
  out.length = static_cast<std::uint8_t>(insn_->size);
  std::memcpy(out.bytes, p - insn_->size, insn_->size);
  return true;
}

move_plan decoder::plan_move(const instruction& code) {
  move_plan plan;
  plan.code = code;
  const std::uint8_t* p = code.bytes;
  std::size_t size = code.length;
  std::uint64_t next = code.address;
  cs_option(handle_, CS_OPT_DETAIL, CS_OPT_ON);
  bool known = cs_disasm_iter(handle_, &p, &size, &next, insn_);
  cs_option(handle_, CS_OPT_DETAIL, CS_OPT_OFF);
  if (!known) return plan;

  unsigned at = branch_prefixes(code);
  std::uint8_t opcode = code.bytes[at];
  std::uint64_t target = branch_target(code);
  if (target != 0) {
    if (opcode == 0xe9 || opcode == 0xeb) {
      plan.how = movable::jump;
    } else if ((opcode & 0xf0) == 0x70) {
      plan.how = movable::condition;
      plan.condition = opcode & 0x0f;
    } else if (opcode == 0x0f) {
      plan.how = movable::condition;
      plan.condition = code.bytes[at + 1] & 0x0f;
    }
    plan.target = target;
    return plan;
  }
  for (unsigned i = 0; i < insn_->detail->groups_count; ++i) {
    switch (insn_->detail->groups[i]) {
      case X86_GRP_RET:
        plan.how = opcode == 0xc3 ? movable::end : movable::no;
        return plan;
      case X86_GRP_JUMP:
      case X86_GRP_CALL:
      case X86_GRP_INT:
      case X86_GRP_IRET:
        return plan;
      default:
        break;
    }
  }
  if (insn_->id == X86_INS_SYSCALL || insn_->id == X86_INS_SYSENTER || insn_->id == X86_INS_XBEGIN) return plan;
  const cs_x86& x86 = insn_->detail->x86;
  for (unsigned i = 0; i < x86.op_count; ++i) {
    if (x86.operands[i].type != X86_OP_MEM) continue;
    if (x86.operands[i].mem.base == X86_REG_EIP) return plan;
    if (x86.operands[i].mem.base != X86_REG_RIP) continue;
    // mod 00, rm 101: the displacement is the 4 bytes right behind the ModRM byte.
    std::uint8_t modrm = x86.encoding.modrm_offset;
    if (modrm == 0 || modrm + 5u > code.length || (code.bytes[modrm] & 0xc7) != 0x05) return plan;
    plan.how = movable::relative;
    plan.displacement = static_cast<std::uint8_t>(modrm + 1);
    plan.target = relative_to(code.end(), read32(code.bytes + plan.displacement));
    return plan;
  }
  plan.how = movable::as_is;
  return plan;
}

std::uint64_t branch_target(const instruction& code) {
  unsigned i = branch_prefixes(code);
  std::uint8_t opcode = code.bytes[i];
  unsigned left = code.length - i;
  bool short_form = opcode == 0xeb || (opcode & 0xf0) == 0x70 || (opcode >= 0xe0 && opcode <= 0xe3);
  if (short_form && left == 2) return relative_to(code.end(), static_cast<std::int8_t>(code.bytes[i + 1]));
  if ((opcode == 0xe8 || opcode == 0xe9) && left == 5) return relative_to(code.end(), read32(code.bytes + i + 1));
  if (opcode == 0x0f && left == 6 && (code.bytes[i + 1] & 0xf0) == 0x80) {
    return relative_to(code.end(), read32(code.bytes + i + 2));
  }
  return 0;
}

bool is_padding(const instruction& code) {
  unsigned i = 0;
  while (i + 1u < code.length && (code.bytes[i] == 0x66 || code.bytes[i] == 0x2e)) ++i;
  if (code.bytes[i] == 0x90 || code.bytes[i] == 0xcc) return i + 1u == code.length;
  return i + 2u < code.length && code.bytes[i] == 0x0f && code.bytes[i + 1] == 0x1f;
}

}  // namespace weft::shim
