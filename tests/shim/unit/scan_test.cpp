// SPDX-License-Identifier: MIT
// The scanner on bytes written by hand and on the machine's libc. Nothing is patched, so it runs under every sanitizer.
#include "shim/scan.hpp"

#include <gtest/gtest.h>
#include <link.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

using namespace weft::shim;

namespace {

class scratch_memory {
 public:
  explicit scratch_memory(std::size_t size)
      : size_(size), at_(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  scratch_memory(const scratch_memory&) = delete;
  scratch_memory& operator=(const scratch_memory&) = delete;
  ~scratch_memory() { munmap(at_, size_); }
  void* get() { return at_; }

 private:
  std::size_t size_;
  void* at_;
};

std::vector<found_site> scan(const image& object, address_range range = {0, ~std::uint64_t{0}}) {
  decoder decode;
  EXPECT_TRUE(decode.open());
  std::vector<found_site> found(2048);
  scratch_memory scratch(scratch_size(object, found.size()));
  found.resize(find_sites(object, decode, range, found.data(), found.size(), scratch.get()));
  return found;
}

constexpr std::uint64_t base_address = 0x7f0000001000;

/// Scans code that is one function, or several when more starts (offsets) are given.
std::vector<found_site> scan_code(std::vector<std::uint8_t> code, std::vector<std::uint64_t> starts = {0}) {
  code.resize(code.size() + 64, 0x90);
  for (std::uint64_t& s : starts) s += base_address;
  image object;
  object.add({base_address, code.data(), code.size(), true});
  object.set_functions(starts.data(), starts.size());
  return scan(object);
}

using bytes = std::vector<std::uint8_t>;

bytes join(std::initializer_list<bytes> parts) {
  bytes all;
  for (const bytes& p : parts) all.insert(all.end(), p.begin(), p.end());
  return all;
}

const bytes syscall_code{0x0f, 0x05};
const bytes mov_39{0xb8, 39, 0, 0, 0};                  // mov $39, %eax
const bytes mov_rax_39{0x48, 0xc7, 0xc0, 39, 0, 0, 0};  // mov $39, %rax
const bytes mov_r8d_eax{0x44, 0x89, 0xc0};              // mov %r8d, %eax
const bytes mov_ebp_eax{0x89, 0xe8};                    // mov %ebp, %eax
const bytes xor_eax{0x31, 0xc0};                        // xor %eax, %eax
const bytes cmp64{0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff};  // cmp $-4095, %rax
const bytes cmp32{0x3d, 0x00, 0xf0, 0xff, 0xff};        // cmp $-4096, %eax
const bytes cmp64_short{0x48, 0x83, 0xf8, 0xda};        // cmp $-38, %rax
const bytes test_rax{0x48, 0x85, 0xc0};                 // test %rax, %rax
const bytes test_eax{0x85, 0xc0};                       // test %eax, %eax
const bytes store{0x89, 0x35, 0x10, 0x20, 0x00, 0x00};  // mov %esi, 0x2010(%rip)
const bytes ret{0xc3};
const bytes nop{0x90};
const bytes call{0xe8, 0x00, 0x01, 0x00, 0x00};
const bytes long_nop{0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0};

TEST(scan, mov_and_syscall) {
  auto found = scan_code(join({nop, mov_39, syscall_code, ret}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].k, kind::mov_imm);
  EXPECT_EQ(found[0].nr, 39);
  EXPECT_EQ(found[0].address, base_address + 6);
  EXPECT_EQ(found[0].window, base_address + 1);
  EXPECT_EQ(found[0].window_length, 5);
}

TEST(scan, long_form_of_the_mov) {
  auto found = scan_code(join({nop, mov_rax_39, syscall_code, ret}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].k, kind::mov_imm);
  EXPECT_EQ(found[0].nr, 39);
  EXPECT_EQ(found[0].window_length, 7);
}

TEST(scan, comparisons_behind_the_syscall) {
  struct {
    bytes code;
    replay again;
    std::int64_t compare;
  } const cases[] = {{cmp64, replay::cmp64, -4095},
                     {cmp32, replay::cmp32, -4096},
                     {cmp64_short, replay::cmp64, -38},
                     {{0x83, 0xf8, 0xda}, replay::cmp32, -38},
                     {test_rax, replay::test64, 0}};
  for (const auto& c : cases) {
    auto found = scan_code(join({xor_eax, syscall_code, c.code, ret}));
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].k, kind::syscall_cmp);
    EXPECT_EQ(found[0].again, c.again);
    EXPECT_EQ(found[0].compare, c.compare);
    EXPECT_EQ(found[0].nr, 0);
    EXPECT_EQ(found[0].window, found[0].address);
    EXPECT_EQ(found[0].window_length, 2 + c.code.size());
  }
}

TEST(scan, neighbours_are_moved_when_nothing_else_fits) {
  auto found = scan_code(join({mov_r8d_eax, syscall_code, ret}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].k, kind::relocated);
  EXPECT_EQ(found[0].nr, -1);
  EXPECT_EQ(found[0].before_count + found[0].after_count, 1);

  found = scan_code(join({store, syscall_code, ret}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].k, kind::relocated);
  ASSERT_EQ(found[0].before_count, 1);
  EXPECT_EQ(found[0].before[0].how, movable::relative);
  EXPECT_EQ(found[0].before[0].target, base_address + 6 + 0x2010);
  EXPECT_EQ(found[0].before[0].displacement, 2);
}

TEST(scan, a_loop_around_the_syscall) {
  // start_thread's last words: again: xor %edi,%edi; mov %edx,%eax; syscall; jmp again
  auto found = scan_code(join({{0x31, 0xff}, {0x89, 0xd0}, syscall_code, {0xeb, 0xf8}}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].k, kind::relocated);
  // The start of the loop is jumped to: it may be the first byte that is overwritten, never a later one.
  EXPECT_NE(found[0].window_length, 0);
  EXPECT_TRUE(base_address <= found[0].window || base_address >= found[0].window_end());
}

TEST(scan, padding_behind_a_return_may_be_used) {
  auto found = scan_code(join({call, syscall_code, ret, long_nop}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].k, kind::relocated);
  EXPECT_EQ(found[0].before_count, 0);
  ASSERT_EQ(found[0].after_count, 1);
  EXPECT_EQ(found[0].after[0].how, movable::end);
}

TEST(scan, code_behind_a_return_may_not) {
  auto found = scan_code(join({call, syscall_code, ret, mov_39, ret}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].k, kind::left);
  EXPECT_EQ(found[0].reason, left_reason::not_relocatable);
}

TEST(scan, the_next_function_is_not_touched) {
  // The next function begins with what would be padding.
  auto found = scan_code(join({call, syscall_code, ret, nop, nop, ret}), {0, 8});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].k, kind::left);
}

TEST(scan, calls_are_not_moved) {
  auto found = scan_code(join({call, syscall_code, call}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].k, kind::left);
}

TEST(scan, a_short_jump_to_the_syscall_forbids_what_lies_before_it) {
  // The mov is not on every way to the syscall: the window must begin at the syscall.
  auto found = scan_code(join({{0x74, 5}, mov_39, syscall_code, cmp64, ret}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].k, kind::syscall_cmp);
  found = scan_code(join({{0x74, 5}, mov_39, syscall_code, test_eax, nop, ret}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].k, kind::relocated);
  EXPECT_EQ(found[0].window, found[0].address);
}

TEST(scan, a_long_jump_to_the_comparison_forbids_it) {
  // From a far part of the code (a .cold part, say) to the cmp, wherever that lies: call, jmp, je, lea to rax and to r15.
  for (const bytes& opcode : {bytes{0xe8}, {0xe9}, {0x0f, 0x84}, {0x48, 0x8d, 0x05}, {0x4c, 0x8d, 0x3d}}) {
    for (std::size_t padding = 0; padding < 40; ++padding) {
      const bytes code = join({mov_ebp_eax, syscall_code, cmp64, ret, bytes(padding, 0x90)});
      const std::size_t cold = code.size();
      const auto distance = static_cast<std::int32_t>(4 - static_cast<long>(cold + opcode.size() + 4));
      bytes operand(4);
      std::memcpy(operand.data(), &distance, 4);
      auto found = scan_code(join({code, opcode, operand}), {0, cold});
      ASSERT_EQ(found.size(), 1u);
      EXPECT_EQ(found[0].k, kind::left) << padding << " before an opcode of " << opcode.size();
      EXPECT_EQ(found[0].reason, left_reason::jump_target);
    }
  }
}

TEST(scan, a_long_jump_to_one_of_several_sites_forbids_that_alone) {
  // Far from each other: jumps to a few such places are looked for in another way than jumps to many.
  const bytes site = join({mov_ebp_eax, syscall_code, cmp64, ret, bytes(70'000, 0x90)});
  for (std::size_t count = 1; count < 8; ++count) {
    bytes code;
    std::vector<std::uint64_t> starts;
    for (std::size_t i = 0; i < count; ++i) {
      starts.push_back(code.size());
      code.insert(code.end(), site.begin(), site.end());
    }
    starts.push_back(code.size());
    for (std::size_t hit = 0; hit < count; ++hit) {
      const auto distance =
          static_cast<std::int32_t>(static_cast<long>(starts[hit] + 4) - static_cast<long>(code.size() + 5));
      bytes jump{0xe9, 0, 0, 0, 0};
      std::memcpy(jump.data() + 1, &distance, 4);
      const auto found = scan_code(join({code, jump}), starts);
      ASSERT_EQ(found.size(), count);
      for (std::size_t i = 0; i < count; ++i) {
        EXPECT_EQ(found[i].k == kind::syscall_cmp, i != hit) << i << " of " << count << ", hit " << hit;
      }
    }
  }
}

TEST(scan, bytes_that_only_look_like_a_short_jump_do_not_count) {
  // mov $imm,%ecx whose immediate holds eb 03: as code it would jump to the cmp.
  auto found = scan_code(join({{0xb9, 0x00, 0x00, 0xeb, 0x05}, nop, xor_eax, syscall_code, cmp64, ret}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].k, kind::syscall_cmp);
}

TEST(scan, a_jump_table_entry_forbids) {
  // lea table(%rip),%rdx; movslq (%rdx,%rax,4),%rax; add %rdx,%rax; jmp *%rax; xor %eax,%eax; syscall; cmp; ret
  bytes code = join({{0x48, 0x8d, 0x15, 0, 0, 0, 0},
                     {0x48, 0x63, 0x04, 0x82},
                     {0x48, 0x01, 0xd0},
                     {0xff, 0xe0},
                     xor_eax,
                     syscall_code,
                     cmp64,
                     ret});
  std::uint64_t table_address = base_address + 0x1000;
  std::int32_t to_table = 0x1000 - 7;
  std::memcpy(&code[3], &to_table, 4);
  for (std::int32_t entry : {18, 20}) {  // the syscall, the cmp
    std::int32_t table[2] = {entry - 0x1000, 0x7fffffff};
    image object;
    code.resize(64, 0x90);
    object.add({base_address, code.data(), code.size(), true});
    object.add({table_address, reinterpret_cast<std::uint8_t*>(table), sizeof table, false});
    object.set_functions(&base_address, 1);
    auto found = scan(object);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].k, entry == 18 ? kind::syscall_cmp : kind::left);
  }
}

TEST(scan, data_that_looks_like_a_syscall_is_none) {
  auto found = scan_code(join({{0xb8, 0x0f, 0x05, 0x0f, 0x05}, {0x48, 0x3d, 0x0f, 0x05, 0, 0}, ret}));
  EXPECT_TRUE(found.empty());
}

TEST(scan, sigreturn_is_left) {
  auto found = scan_code(join({{0x48, 0xc7, 0xc0, 15, 0, 0, 0}, syscall_code, nop, nop}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].k, kind::left);
  EXPECT_EQ(found[0].reason, left_reason::sigreturn);
  found = scan_code(join({{0xb8, 15, 0, 0, 0}, syscall_code, cmp64}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].reason, left_reason::sigreturn);
}

TEST(scan, without_functions_nothing_is_patched) {
  bytes code = join({mov_39, syscall_code, ret});
  image object;
  object.add({base_address, code.data(), code.size(), true});
  auto found = scan(object);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].reason, left_reason::no_function);
}

TEST(scan, windows_do_not_overlap) {
  auto found = scan_code(join({mov_ebp_eax, syscall_code, mov_39, syscall_code, ret}));
  ASSERT_EQ(found.size(), 2u);
  if (found[0].k != kind::left && found[1].k != kind::left) {
    EXPECT_LE(found[0].window_end(), found[1].window);
  }
}

TEST(scan, sites_at_the_edges_of_the_text) {
  bytes code = join({syscall_code});
  image object;
  std::uint64_t start = base_address;
  object.add({base_address, code.data(), code.size(), true});
  object.set_functions(&start, 1);
  auto found = scan(object);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].k, kind::left);
}

// ---- the machine's own libc

int visit(dl_phdr_info* info, std::size_t, void* data) {
  if (std::strstr(info->dlpi_name, "/libc.so.6") == nullptr && std::strstr(info->dlpi_name, "/ld-linux") == nullptr)
    return 0;
  static_cast<std::vector<image>*>(data)->emplace_back(*info);
  return 0;
}

std::size_t disassembled(const char* path) {
  std::string command = std::string("objdump -d ") + path + " 2>/dev/null | grep -c -P '\\tsyscall'";
  FILE* pipe = popen(command.c_str(), "r");
  std::size_t count = 0;
  if (pipe == nullptr || std::fscanf(pipe, "%zu", &count) != 1) count = 0;
  if (pipe != nullptr) pclose(pipe);
  return count;
}

TEST(scan, every_syscall_of_libc_but_sigreturn) {
  std::vector<image> objects;
  dl_iterate_phdr(visit, &objects);
  ASSERT_FALSE(objects.empty());
  for (const image& object : objects) {
    auto found = scan(object);
    std::size_t expected = disassembled(object.name);
    if (expected != 0) {
      EXPECT_EQ(found.size(), expected) << object.name;
    }
    std::map<std::string, unsigned> left;
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (found[i].k == kind::left) ++left[reason_text(found[i].reason)];
      if (i == 0 || found[i].k == kind::left || found[i - 1].k == kind::left) continue;
      EXPECT_LE(found[i - 1].window_end(), found[i].window);
    }
    unsigned total = 0;
    for (const auto& [why, n] : left) {
      total += n;
      std::printf("%s: %u left: %s\n", object.name, n, why.c_str());
    }
    EXPECT_LE(total * 100, found.size() + 100) << object.name;
  }
}

}  // namespace
