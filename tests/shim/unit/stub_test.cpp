// SPDX-License-Identifier: MIT
// The stubs at work: registers, flags, unwinding, and the ways back that do not return.
#include <errno.h>
#include <gtest/gtest.h>
#include <link.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/clock.hpp"
#include "base/syscall.hpp"
#include "shim/sites.hpp"
#include "tests/shim/unit/probes.h"

using namespace weft;

namespace {

struct state {
  std::uint64_t general[16];
  std::uint64_t vector[16][4];
  std::uint64_t red_zone[16];
};
static_assert(sizeof(state) == PROBE_SIZE);

long pass_on(shim::frame* f) {
  return base::raw_syscall(static_cast<long>(f->rax), f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9);
}

long (*on_dispatch)(shim::frame*) = pass_on;

}  // namespace

extern "C" {
unsigned char weft_handled[WEFT_HANDLED_COUNT];
long weft_dispatch(shim::frame* f) { return on_dispatch(f); }

extern const char probes_begin[], probes_end[];
extern int probe_word;
long probe_mov(state*, state*);
long probe_cmp64(state*, state*);
long probe_cmp32(state*, state*);
long probe_cmp_short(state*, state*);
long probe_test(state*, state*);
long probe_moved(state*, state*);
long probe_mov_wide(state*, state*);
long probe_cmp64_wide(state*, state*);
long probe_store(long nr, int);
long probe_branch(long);
long probe_loop(long);
}

namespace {

int this_program(dl_phdr_info* info, std::size_t, void* data) {
  *static_cast<shim::image*>(data) = shim::image(*info);
  return 1;
}

std::uint64_t address_of(const char* symbol) { return reinterpret_cast<std::uint64_t>(symbol); }

void handle(int nr, long (*how)(shim::frame*)) {
  weft_handled[nr] = 1;
  on_dispatch = how;
}

/// Patches the probes, once.
class stubs : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    shim::image program;
    dl_iterate_phdr(this_program, &program);
    patched = shim::patch_object(program, {address_of(probes_begin), address_of(probes_end)});
  }
  void SetUp() override {
    ASSERT_EQ(patched, 11u);
    std::memset(weft_handled, 0, sizeof weft_handled);
    on_dispatch = pass_on;
  }
  static unsigned patched;
};
unsigned stubs::patched = 0;

// ---- registers

shim::frame seen;

/// Changes all that a function may change, and answers with what rdx says.
long spoil(shim::frame* f) {
  seen = *f;
  long result = static_cast<long>(f->rdx);
  if (__builtin_cpu_supports("avx")) {
    asm volatile("vzeroall" ::
                     : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
  } else {
    asm volatile("pxor %%xmm0, %%xmm0; pxor %%xmm7, %%xmm7; pxor %%xmm15, %%xmm15" ::: "xmm0", "xmm7", "xmm15");
  }
  asm volatile(
      "xor %%ecx, %%ecx; xor %%esi, %%esi; xor %%edi, %%edi; xor %%r8d, %%r8d; xor %%r9d, %%r9d; xor %%r10d, %%r10d" ::
          : "rcx", "rsi", "rdi", "r8", "r9", "r10", "cc");
  return result;
}

struct flags {
  bool carry, zero, sign, overflow;
  bool operator==(const flags&) const = default;
};

flags of(std::uint64_t rflags) {
  return {(rflags & 1) != 0, (rflags >> 6 & 1) != 0, (rflags >> 7 & 1) != 0, (rflags >> 11 & 1) != 0};
}

flags compared(std::int64_t value, std::int64_t with) {
  std::uint64_t rflags;
  asm("cmp %2, %1; pushfq; pop %0" : "=&r"(rflags) : "r"(value), "r"(with) : "cc");
  return of(rflags);
}

flags compared32(std::int64_t value, std::int64_t with) {
  std::uint64_t rflags;
  asm("cmp %k2, %k1; pushfq; pop %0" : "=&r"(rflags) : "r"(value), "r"(with) : "cc");
  return of(rflags);
}

flags tested(std::int64_t value) {
  std::uint64_t rflags;
  asm("test %1, %1; pushfq; pop %0" : "=&r"(rflags) : "r"(value) : "cc");
  return of(rflags);
}

state before(long nr, long result) {
  state s;
  auto* bytes = reinterpret_cast<unsigned char*>(&s);
  for (std::size_t i = 0; i < sizeof s; ++i) bytes[i] = static_cast<unsigned char>(i * 7 + 1);
  s.general[0] = static_cast<std::uint64_t>(nr);
  s.general[7] = static_cast<std::uint64_t>(nr);  // r8, for the moved site
  s.general[3] = static_cast<std::uint64_t>(result);
  return s;
}

void expect_kept(const state& in, const state& out, bool wide, bool r9_changes = false) {
  for (int i : {1, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14}) {
    if (i == 8 && r9_changes) continue;
    EXPECT_EQ(in.general[i], out.general[i]) << "general register " << i;
  }
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(std::memcmp(in.vector[i], out.vector[i], wide ? 32 : 16), 0) << "vector register " << i;
  }
  for (int i = 0; i < 15; ++i) EXPECT_EQ(in.red_zone[i], out.red_zone[i]) << "red zone word " << i;
}

constexpr int a_number = 39;  // getpid: takes no argument and changes nothing

TEST_F(stubs, keep_every_register_and_the_red_zone) {
  struct {
    long (*probe)(state*, state*);
    bool wide;
  } const probes[] = {{probe_mov, false},  {probe_cmp64, false}, {probe_cmp32, false},   {probe_cmp_short, false},
                      {probe_test, false}, {probe_moved, false}, {probe_mov_wide, true}, {probe_cmp64_wide, true}};
  for (const auto& p : probes) {
    if (p.wide && !__builtin_cpu_supports("avx")) continue;
    weft_handled[a_number] = 0;
    state in = before(a_number, 0), out{};
    EXPECT_EQ(p.probe(&in, &out), getpid());
    expect_kept(in, out, p.wide, p.probe == probe_moved);

    handle(a_number, spoil);
    in = before(a_number, 4711);
    out = {};
    EXPECT_EQ(p.probe(&in, &out), 4711);
    expect_kept(in, out, p.wide, p.probe == probe_moved);
    // The dispatcher saw the registers of the program.
    EXPECT_EQ(seen.rax, unsigned{a_number});
    EXPECT_EQ(seen.rdi, in.general[5]);
    EXPECT_EQ(seen.rsi, in.general[4]);
    EXPECT_EQ(seen.rdx, in.general[3]);
    EXPECT_EQ(seen.r10, in.general[9]);
    EXPECT_EQ(seen.r8, in.general[7]);
    EXPECT_EQ(seen.r9, in.general[8]);
    EXPECT_EQ(seen.rbx, in.general[1]);
    EXPECT_EQ(seen.rbp, in.general[6]);
    EXPECT_EQ(seen.r12, in.general[11]);
    EXPECT_EQ(seen.r15, in.general[14]);
    EXPECT_EQ(seen.ret, shim::site_of(seen).ret);
    EXPECT_EQ(seen.sp % 16, 0u) << "seven words lie below the return address";
  }
}

TEST_F(stubs, replay_the_comparison_that_was_overwritten) {
  handle(a_number, spoil);
  for (long value : {0L, 1L, -1L, -4L, -38L, -39L, -4094L, -4095L, -4096L, -4097L, 4711L, 0x100000000L, 0x7fffffffL,
                     0x80000000L, -0x7fffffffffffffffL - 1, 0x7fffffffffffffffL}) {
    state in = before(a_number, value), out{};
    EXPECT_EQ(probe_cmp64(&in, &out), value);
    EXPECT_EQ(of(out.general[15]), compared(value, -4095)) << value;
    probe_cmp32(&in, &out);
    EXPECT_EQ(of(out.general[15]), compared32(value, -4096)) << value;
    probe_cmp_short(&in, &out);
    EXPECT_EQ(of(out.general[15]), compared(value, -38)) << value;
    probe_test(&in, &out);
    EXPECT_EQ(of(out.general[15]), tested(value)) << value;
  }
}

TEST_F(stubs, run_moved_neighbours) {
  EXPECT_EQ(probe_store(a_number, 1234), getpid());
  EXPECT_EQ(probe_word, 1234);
  handle(a_number, [](shim::frame*) { return 7L; });
  EXPECT_EQ(probe_branch(a_number), 1);
  handle(a_number, [](shim::frame*) { return 8L; });
  EXPECT_EQ(probe_branch(a_number), 2);
  static int calls;
  calls = 0;
  handle(a_number, [](shim::frame*) { return ++calls < 5 ? -4L : 12L; });
  EXPECT_EQ(probe_loop(a_number), 12);
  EXPECT_EQ(calls, 5);
}

TEST_F(stubs, pass_numbers_above_the_table) {
  std::memset(weft_handled, 1, sizeof weft_handled);
  on_dispatch = [](shim::frame*) { return 1L; };
  state in = before(4000, 0), out{};
  EXPECT_EQ(probe_cmp64(&in, &out), -ENOSYS);
  in = before(-1, 0);
  EXPECT_EQ(probe_cmp64(&in, &out), -ENOSYS);
  in = before(WEFT_HANDLED_COUNT - 1, 0);
  EXPECT_EQ(probe_cmp64(&in, &out), 1);
}

TEST_F(stubs, cost_little) {
  auto per_call = [&] {
    std::int64_t best = 1 << 30;
    for (int round = 0; round < 20; ++round) {
      std::int64_t start = base::monotonic_ns();
      for (int i = 0; i < 1000; ++i) probe_loop(a_number);
      best = std::min(best, base::monotonic_ns() - start);
    }
    return static_cast<double>(best) / 1000;
  };
  auto raw = [&] {
    std::int64_t best = 1 << 30;
    for (int round = 0; round < 20; ++round) {
      std::int64_t start = base::monotonic_ns();
      for (int i = 0; i < 1000; ++i) base::raw_syscall(a_number);
      best = std::min(best, base::monotonic_ns() - start);
    }
    return static_cast<double>(best) / 1000;
  };
  double native = raw(), passed = per_call();
  handle(a_number, [](shim::frame*) { return 0L; });
  double dispatched = per_call();
  std::printf("a raw call %.1f ns, passed by a stub %.1f, dispatched to an empty function %.1f\n", native, passed,
              dispatched);
}

// ---- far away

TEST(island, reaches_stubs_from_anywhere) {
  // mov $39,%eax; syscall; ret    mov %edi,%eax; syscall; ret; nops
  static constexpr unsigned char code[] = {0xb8, 39,   0,    0,    0,    0x0f, 0x05, 0xc3, 0x90, 0x90, 0x90, 0x90,
                                           0x90, 0x90, 0x90, 0x90, 0x89, 0xf8, 0x0f, 0x05, 0xc3, 0x90, 0x90, 0x90};
  for (std::uint64_t at : {std::uint64_t{0x10000000}, std::uint64_t{0x200000000000}, std::uint64_t{0x40000}}) {
    void* memory = mmap(reinterpret_cast<void*>(at), 4096, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    ASSERT_EQ(memory, reinterpret_cast<void*>(at));
    std::memcpy(memory, code, sizeof code);
    ASSERT_EQ(mprotect(memory, 4096, PROT_READ | PROT_EXEC), 0);
    const std::uint64_t starts[] = {at, at + 16};
    shim::image object;
    object.add({at, static_cast<const std::uint8_t*>(memory), 4096, true});
    object.set_functions(starts, 2);
    EXPECT_EQ(shim::patch_object(object, {at, at + 4096}), 2u);
    std::memset(weft_handled, 0, sizeof weft_handled);
    auto getpid_here = reinterpret_cast<long (*)()>(at);
    auto call_here = reinterpret_cast<long (*)(long)>(at + 16);
    EXPECT_EQ(getpid_here(), getpid());
    EXPECT_EQ(call_here(a_number), getpid());
    handle(a_number, [](shim::frame*) { return 99L; });
    EXPECT_EQ(getpid_here(), 99);
    EXPECT_EQ(call_here(a_number), 99);
    munmap(memory, 4096);
  }
}

// ---- coming back without returning

long through_resume(shim::frame* f) {
  static shim::frame copy;
  copy = *f;
  weft_resume(&copy, copy.sp, 4712);
}

TEST_F(stubs, resume_goes_on_behind_the_site) {
  handle(a_number, through_resume);
  for (auto* probe : {probe_mov, probe_cmp64, probe_test, probe_moved}) {
    state in = before(a_number, 0), out{};
    EXPECT_EQ(probe(&in, &out), 4712);
    std::memcpy(out.vector, in.vector, sizeof in.vector);  // not kept on this way
    expect_kept(in, out, false, probe == probe_moved);
    if (probe == probe_cmp64) {
      EXPECT_EQ(of(out.general[15]), compared(4712, -4095));
    }
  }
}

TEST_F(stubs, a_cloned_child_goes_on_with_the_registers_of_the_site) {
  handle(a_number, [](shim::frame* f) {
    const unsigned long args[6] = {SIGCHLD, 0, 0, 0, 0, 0};
    return weft_raw_clone(f, 0, SYS_clone, args);
  });
  state in = before(a_number, 0), out{};
  long result = probe_cmp64(&in, &out);
  if (result == 0) {
    EXPECT_EQ(of(out.general[15]), compared(0, -4095));
    std::memcpy(out.vector, in.vector, sizeof in.vector);  // not kept on this way
    expect_kept(in, out, false);
    _exit(HasFailure() ? 1 : 42);
  }
  ASSERT_GT(result, 0);
  expect_kept(in, out, false);
  int status = 0;
  ASSERT_EQ(waitpid(static_cast<pid_t>(result), &status, 0), result);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

}  // namespace
