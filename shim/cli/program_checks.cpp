// SPDX-License-Identifier: MIT
#include <elf.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <string>

#include "base/words.hpp"
#include "shim/cli/checks.hpp"

namespace weft::shim::cli {
namespace {

bool check_machine(const elf_summary& elf, findings& into) {
  if (!elf.is_64_bit) {
    into.push_back({level::error, "format", "a 32-bit program; it would run as before, with a complaint of the loader",
                    "build it for x86-64"});
    return false;
  }
  if (elf.machine != EM_X86_64) {
    into.push_back({level::error, "format",
                    "made for another processor (ELF machine " + std::to_string(elf.machine) + ")",
                    "build it for x86-64"});
    return false;
  }
  if (elf.type != ET_EXEC && elf.type != ET_DYN) {
    into.push_back({level::error, "format", "an ELF file, but no program", ""});
    return false;
  }
  into.push_back({level::ok, "format", "a 64-bit program for x86-64", ""});
  return true;
}

bool check_loader(const elf_summary& elf, findings& into) {
  if (elf.interpreter.empty()) {
    const bool library = elf.type == ET_DYN && !elf.is_pie;
    into.push_back({level::error, "static",
                    library ? "a library, or a static program: no loader takes part, so nothing can be preloaded"
                            : std::string(elf.type == ET_DYN ? "static-pie" : "static") +
                                  ": no loader takes part, so nothing can be preloaded; it runs as before",
                    "link it dynamically"});
    return false;
  }
  const std::string loader(base::last_component(elf.interpreter));
  if (loader.starts_with("ld-musl")) {
    into.push_back({level::error, "libc", "built on musl (" + elf.interpreter + "); the shim is made for glibc",
                    "build it on glibc"});
    return false;
  }
  if (!loader.starts_with("ld-linux")) {
    into.push_back({level::error, "libc",
                    "loaded by " + elf.interpreter + ", which is not glibc's; the shim is made for glibc",
                    "build it on glibc"});
    return false;
  }
  return true;
}

bool is_go(const elf_summary& elf) {
  return elf.sections.contains(".go.buildinfo") || elf.sections.contains(".gopclntab") ||
         elf.sections.contains(".note.go.buildid");
}

void check_allocator(const elf_summary& elf, findings& into) {
  struct allocator {
    const char* function;
    const char* name;
  };
  for (const allocator& each : {allocator{"mallctl", "jemalloc"}, allocator{"je_mallctl", "jemalloc"},
                                allocator{"tc_malloc", "tcmalloc"}, allocator{"mi_malloc", "mimalloc"}}) {
    if (!elf.functions.contains(each.function)) continue;
    into.push_back(
        {level::note, "allocator",
         std::string(each.name) + " is linked in: it works, and threads it makes for itself become green too", ""});
    return;
  }
}

}  // namespace

void check_scripts(const resolved_program& program, findings& into) {
  for (const script_step& each : program.scripts) {
    into.push_back(
        {level::note, "script", each.script + " is run by " + each.interpreter + ", which is looked at instead", ""});
  }
}

void check_privilege(const std::string& path, findings& into) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return;
  const std::string reason = ": the kernel marks such a start as secure and the loader ignores LD_PRELOAD (ld.so(8))";
  const std::string advice = "run a copy without these rights, or run it as their owner";
  bool clean = true;
  if ((status.st_mode & S_ISUID) != 0) {
    clean = false;
    if (status.st_uid != getuid()) {
      into.push_back({level::error, "privilege", "setuid to user " + std::to_string(status.st_uid) + reason, advice});
    } else {
      into.push_back({level::note, "privilege", "setuid, but to the user you are: that does not matter for you", ""});
    }
  }
  // Without the group's execute bit S_ISGID means mandatory locking (inode(7)).
  if ((status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0) {
    clean = false;
    if (status.st_gid != getgid()) {
      into.push_back({level::error, "privilege", "setgid to group " + std::to_string(status.st_gid) + reason, advice});
    } else {
      into.push_back({level::note, "privilege", "setgid, but to your own group: that does not matter for you", ""});
    }
  }
  if (getxattr(path.c_str(), "security.capability", nullptr, 0) > 0) {
    clean = false;
    if (getuid() != 0) {
      into.push_back({level::error, "privilege", "it has file capabilities" + reason, advice});
    } else {
      into.push_back(
          {level::note, "privilege", "it has file capabilities: they do not matter for root, but for others", ""});
    }
  }
  if (clean) into.push_back({level::ok, "privilege", "neither setuid nor setgid, no file capabilities", ""});
}

bool check_format(const std::optional<elf_summary>& elf, findings& into) {
  if (!elf) {
    into.push_back({level::error, "format", "it cannot be read, so nothing can be said of it",
                    "read permission is needed here, though not to run it"});
    return false;
  }
  if (!check_machine(*elf, into)) return false;
  if (is_go(*elf)) {
    into.push_back({elf->interpreter.empty() ? level::error : level::warning, "go",
                    "a Go program: its runtime makes system calls and schedules goroutines by itself",
                    "goroutines are green threads already; run it without Weft"});
  }
  if (!check_loader(*elf, into)) return false;
  if (elf->relocates_text) {
    into.push_back({level::note, "text", "its text is relocated at start (DT_TEXTREL), which SELinux forbids in places",
                    "build it with -fPIC"});
  }
  check_allocator(*elf, into);
  return true;
}

}  // namespace weft::shim::cli
