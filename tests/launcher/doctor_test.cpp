// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "launcher/command.hpp"
#include "launcher/made_elf.hpp"

namespace weft::test {
namespace {

namespace fs = std::filesystem;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

outcome examine(const std::string& program) { return run_command({weft_command(), "doctor", program}); }

std::string first_line(const char* path) {
  std::string line;
  std::getline(std::ifstream(path) >> std::ws, line);
  return line;
}

// A folder for the files that a test makes.
class doctor : public testing::Test {
 protected:
  void SetUp() override {
    folder = testing::TempDir() + "weft-doctor-" + std::to_string(getpid());
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string file(const std::string& name, const std::string& content, mode_t mode = 0755) {
    std::string path = folder + "/" + name;
    std::ofstream(path, std::ios::binary) << content;
    chmod(path.c_str(), mode);
    return path;
  }

  std::string folder;
};

TEST_F(doctor, finds_nothing_wrong_with_an_ordinary_program) {
  const outcome result = examine("/bin/ls");
  EXPECT_EQ(result.status, 0) << result.out;
  EXPECT_THAT(result.out, HasSubstr("ok       format       a 64-bit program"));
  EXPECT_THAT(result.out, HasSubstr("ok       libc         glibc 2."));
  EXPECT_THAT(result.out, EndsWith("/bin/ls: works under weft run\n"));
  EXPECT_THAT(examine("ls").out, ContainsRegex("\nls \\(/.*/ls\\): works"));
}

TEST_F(doctor, sees_static_programs) {
  const outcome fixed = examine(WEFT_TEST_STATIC_PROGRAM);
  EXPECT_EQ(fixed.status, 2);
  EXPECT_THAT(fixed.out, HasSubstr("error    static       static: no loader takes part"));
  const outcome pie = examine(WEFT_TEST_STATIC_PIE_PROGRAM);
  EXPECT_EQ(pie.status, 2);
  EXPECT_THAT(pie.out, HasSubstr("error    static       static-pie: no loader takes part"));
}

TEST_F(doctor, sees_setuid_and_setgid) {
  const std::string program = folder + "/tool";
  fs::copy_file("/bin/true", program);
  chmod(program.c_str(), 04755);
  const outcome own = examine(program);
  EXPECT_EQ(own.status, 0);
  EXPECT_THAT(own.out, HasSubstr("note     privilege    setuid, but to the user you are"));
  if (getuid() != 0) GTEST_SKIP() << "only root can give a file away";
  ASSERT_EQ(chown(program.c_str(), 65534, 65534), 0);
  chmod(program.c_str(), 06755);  // chown takes the bits off
  const outcome other = examine(program);
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.out, HasSubstr("error    privilege    setuid to user 65534: "));
  EXPECT_THAT(other.out, HasSubstr("error    privilege    setgid to group 65534: "));
}

TEST_F(doctor, follows_scripts_to_what_runs_them) {
  const outcome direct = examine(file("direct", "#!/bin/sh -e\ntrue\n"));
  EXPECT_EQ(direct.status, 0) << direct.out;
  EXPECT_THAT(direct.out, HasSubstr("direct is run by /bin/sh, which is looked at"));
  const outcome by_env = examine(file("by-env", "#! /usr/bin/env -S X=1 sh\n"));
  EXPECT_EQ(by_env.status, 0) << by_env.out;
  EXPECT_THAT(by_env.out, ContainsRegex("by-env is run by /.*/sh, which"));
  const outcome bare = examine(file("bare", "true\n"));
  EXPECT_THAT(bare.out, HasSubstr("bare is run by /bin/sh"));
  const outcome broken = examine(file("broken", "#!/nonexistent/perl\n"));
  EXPECT_EQ(broken.status, 2);
  EXPECT_THAT(broken.out, HasSubstr("/nonexistent/perl: No such file"));
  const outcome endless = examine(file("endless", "#!" + folder + "/endless\n"));
  EXPECT_EQ(endless.status, 2);
  EXPECT_THAT(endless.out, HasSubstr("too many interpreters"));
}

TEST_F(doctor, sees_what_is_no_program) {
  EXPECT_THAT(examine("/tmp").out, HasSubstr("error    file         /tmp is a directory"));
  EXPECT_THAT(examine("/nonexistent/x").out, HasSubstr("/nonexistent/x: No such file"));
  EXPECT_THAT(examine("no-such-program-anywhere").out, HasSubstr("is not in PATH"));
  EXPECT_THAT(examine(file("data", "x", 0644)).out, HasSubstr("may not be executed"));
  made_elf object;
  object.header().e_type = ET_REL;
  EXPECT_THAT(examine(file("object", object.bytes())).out, HasSubstr("an ELF file, but no program"));
  EXPECT_EQ(examine("/tmp").status, 2);
}

TEST_F(doctor, sees_other_machines) {
  made_elf narrow;
  narrow.header().e_ident[EI_CLASS] = ELFCLASS32;
  narrow.header().e_machine = EM_386;
  const outcome result = examine(file("narrow", narrow.bytes()));
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.out, HasSubstr("error    format       a 32-bit program"));
  made_elf arm;
  arm.header().e_machine = EM_AARCH64;
  EXPECT_THAT(examine(file("arm", arm.bytes())).out, HasSubstr("made for another processor (ELF machine 183)"));
}

TEST_F(doctor, sees_other_libcs) {
  const outcome musl = examine(file("musl", made_elf().interpreter("/lib/ld-musl-x86_64.so.1").bytes()));
  EXPECT_EQ(musl.status, 2);
  EXPECT_THAT(musl.out, HasSubstr("error    libc         built on musl"));
  const outcome android = examine(file("android", made_elf().interpreter("/system/bin/linker64").bytes()));
  EXPECT_EQ(android.status, 2);
  EXPECT_THAT(android.out, HasSubstr("loaded by /system/bin/linker64, which is not glibc's"));
  const outcome absent = examine(file("absent", made_elf().interpreter("/nonexistent/ld-linux-x86-64.so.2").bytes()));
  EXPECT_EQ(absent.status, 2);
  EXPECT_THAT(absent.out, HasSubstr("does not say what it would load"));
}

TEST_F(doctor, sees_go) {
  const outcome fixed = examine(file("go", made_elf().section(".gopclntab").bytes()));
  EXPECT_EQ(fixed.status, 2);
  EXPECT_THAT(fixed.out, HasSubstr("error    go           a Go program"));
  const outcome cgo =
      examine(file("cgo", made_elf().section(".go.buildinfo").interpreter("/lib64/ld-linux-x86-64.so.2").bytes()));
  EXPECT_THAT(cgo.out, HasSubstr("warning  go           a Go program"));
}

TEST_F(doctor, survives_files_that_are_cut_or_lie) {
  const std::string whole =
      made_elf().section(".text").section(".go.buildinfo").interpreter("/lib64/ld-linux-x86-64.so.2").bytes();
  for (std::size_t length = 0; length < whole.size(); length += 7) {
    EXPECT_EQ(examine(file("cut", whole.substr(0, length))).signal, 0) << length;
  }
  made_elf liar;
  liar.header().e_phoff = UINT64_MAX - 8;
  liar.header().e_shoff = UINT64_MAX / 2;
  std::string bytes = liar.section(".x").bytes();
  for (std::size_t at = 32; at < 64; ++at) {
    std::string changed = bytes;
    changed[at] = '\xff';
    EXPECT_EQ(examine(file("liar", changed)).signal, 0) << at;
  }
}

TEST_F(doctor, names_libraries_that_are_missing) {
  const outcome result = run_command({weft_command(), "doctor", WEFT_TEST_NEEDY_PROGRAM});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.out, HasSubstr("error    libraries    not found: libneeded.so; the program does not start"));
}

TEST_F(doctor, looks_for_libraries_from_where_the_program_lies_not_from_its_link) {
  const std::string link = folder + "/link";
  fs::create_symlink(WEFT_TEST_ORIGIN_PROGRAM, link);
  ASSERT_EQ(run_command({link}).status, 5) << "it runs by its link";
  EXPECT_EQ(examine(link).status, 0) << examine(link).out;
}

TEST_F(doctor, looks_at_one_program) {
  const outcome two = run_command({weft_command(), "doctor", "ls", "-l", "cat"});
  EXPECT_EQ(two.status, 2);
  EXPECT_THAT(two.err, HasSubstr("was not expected: -l"));
  const outcome more = run_command({weft_command(), "doctor", "ls", "cat"});
  EXPECT_EQ(more.status, 2);
  EXPECT_EQ(more.err, "weft doctor: one program at a time, without its arguments: cat is too much\n");
}

TEST_F(doctor, counts_system_calls_in_libc_and_outside) {
  const outcome plain = examine("/bin/ls");
  EXPECT_THAT(plain.out, ContainsRegex("syscalls     libc.so.6 has [0-9]{3} system call instructions"));
  EXPECT_THAT(plain.out, ContainsRegex("syscalls     ld-linux-x86-64.so.2 has [0-9]{2} system call instructions"));
  const outcome own = examine(WEFT_TEST_DIRECT_PROGRAM);
  EXPECT_EQ(own.status, 0);
  EXPECT_THAT(own.out,
              HasSubstr("note     syscalls     launcher_direct_program has 1 system call instruction, which can"));
}

TEST_F(doctor, tells_of_a_sanitizer_that_must_come_first) {
  const outcome result = examine(WEFT_TEST_SANITIZED_PROGRAM);
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.out, HasSubstr("error    sanitizer    libasan.so lets no other library be loaded before it"));
}

TEST_F(doctor, sees_a_system_call_that_cannot_be_patched) {
  const outcome result = examine(WEFT_TEST_FIXED_SITE_PROGRAM);
  EXPECT_EQ(result.status, 1) << result.out;
  EXPECT_THAT(result.out,
              HasSubstr("warning  syscalls     launcher_fixed_site_program has 1 system call instruction, of which 1 "
                        "stay as they are (1: something may jump into the bytes around it)"));
}

TEST_F(doctor, sees_a_program_without_libc) {
  ASSERT_EQ(run_command({WEFT_TEST_NOLIBC_PROGRAM}).status, 0);
  const outcome result = examine(WEFT_TEST_NOLIBC_PROGRAM);
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.out, HasSubstr("ok       libraries    it needs none"));
  EXPECT_THAT(result.out, HasSubstr("error    libc         it uses no libc: nothing would be patched"));
}

TEST_F(doctor, says_how_the_thread_pointer_is_switched) {
  constexpr unsigned long fsgsbase = 2;  // arch/x86/include/uapi/asm/hwcap2.h
  const bool has = (getauxval(AT_HWCAP2) & fsgsbase) != 0;
  EXPECT_THAT(examine("/bin/ls").out,
              HasSubstr(has ? "ok       fsgsbase     the thread pointer can be switched without a system call"
                            : "warning  fsgsbase     CPU or kernel lacks FSGSBASE"));
}

TEST_F(doctor, sees_that_text_may_not_be_changed) {
  const char* const usual = first_line("/sys/fs/selinux/enforce") == "1"
                                ? "note     text         text may be changed here"
                                : "ok       text         text may be changed here";
  EXPECT_THAT(examine("/bin/ls").out, HasSubstr(usual));
  // As a service with MemoryDenyWriteExecute is started. Linux 6.3 has it; it is inherited, so a child asks for it.
  const outcome denied = run_command({"python3", "-c",
                                      "import ctypes, os, sys\n"
                                      "set_mdwe, refuse_exec_gain = 65, 1\n"
                                      "if ctypes.CDLL(None).prctl(set_mdwe, refuse_exec_gain, 0, 0, 0): sys.exit(77)\n"
                                      "os.execv(sys.argv[1], sys.argv[1:])\n",
                                      weft_command(), "doctor", "/bin/ls"});
  if (denied.status == 77) GTEST_SKIP() << "this kernel has no PR_SET_MDWE";
  EXPECT_EQ(denied.status, 2) << denied.out << denied.err;
  EXPECT_THAT(denied.out, HasSubstr("error    text         text may not be changed here (Permission denied)"));
}

TEST_F(doctor, prints_json) {
  const outcome result = run_command({weft_command(), "doctor", "--json", file("sc\"ript", "#!/bin/sh\n")});
  EXPECT_EQ(result.status, 0);
  const outcome checked =
      run_command({"python3", "-c",
                   "import json, sys\n"
                   "d = json.load(sys.stdin)\n"
                   "print(sorted(d), d['program'].endswith('sc\"ript'), d['verdict'])\n"
                   "print(sorted({tuple(sorted(f)) for f in d['findings']}), d['findings'][0]['check'])\n"},
                  {{}, result.out});
  EXPECT_EQ(checked.out,
            "['findings', 'path', 'program', 'verdict'] True works\n"
            "[('advice', 'check', 'level', 'text')] script\n");
}

TEST_F(doctor, wants_one_program) {
  EXPECT_EQ(run_command({weft_command(), "doctor"}).status, 2);
  EXPECT_EQ(run_command({weft_command(), "doctor", "--cake", "ls"}).status, 2);
  EXPECT_EQ(run_command({weft_command(), "doctor", "ls", "cat"}).status, 2);
}

}  // namespace
}  // namespace weft::test
