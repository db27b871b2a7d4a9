// SPDX-License-Identifier: MIT
#include "shim/sites.hpp"

#include <link.h>
#include <sched.h>
#include <signal.h>

#include <cstring>
#include <mutex>
#include <new>

#include "base/syscall.hpp"
#include "shim/arch/x86_64/vectors.hpp"
#include "shim/object_patch.hpp"
#include "shim/pages.hpp"
#include "shim/site_table.hpp"

namespace weft::shim {

namespace {

constexpr unsigned max_objects = 4096;
constexpr address_range everywhere{0, ~std::uint64_t{0}};

/// While text is written to no handler of the program may run in it.
class signals_blocked {
 public:
  signals_blocked() {
    std::uint64_t every = ~std::uint64_t{0};
    base::raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &every, &before_, sizeof before_);
  }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;
  ~signals_blocked() { base::raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr, sizeof before_); }

 private:
  std::uint64_t before_ = 0;
};

unsigned finish(object_patch& work, const other_threads& others) {
  text_writer writer(others.any());
  {
    signals_blocked none_may_interrupt;
    work.write(writer);
  }
  work.conclude();
  return static_cast<unsigned>(work.patch_count());
}

unsigned patch_object(image object, address_range range, bool jumps, const other_threads& others, bool later) {
  detect_vectors();
  decoder decode;
  pages found(max_sites * sizeof(found_site)), patches(max_sites * sizeof(patch));
  if (found.as<void>() == nullptr || patches.as<void>() == nullptr || !decode.open()) return 0;
  object_patch work(object, patches.as<patch>(), later);
  work.find(range, decode, jumps, found.as<found_site>(), others);
  return finish(work, others);
}

struct object_list {
  image* objects;
  std::size_t count, capacity;
};

int list_object(dl_phdr_info* info, std::size_t, void* data) {
  object_list* list = static_cast<object_list*>(data);
  if (list->count == list->capacity) return 1;
  image object(*info);
  if (!is_ours(object)) list->objects[list->count++] = object;
  return 0;
}

int find_libc(dl_phdr_info* info, std::size_t, void* data) {
  const char* slash = info->dlpi_name != nullptr ? std::strrchr(info->dlpi_name, '/') : nullptr;
  if (slash == nullptr) return 0;
  if (std::strncmp(slash, "/libc.so.", 9) != 0 && std::strncmp(slash, "/libc-2.", 8) != 0) return 0;
  *static_cast<image*>(data) = image(*info);
  return 1;
}

/// The sites in the text around glibc's clone from which threads are made.
class clone_search {
 public:
  static constexpr unsigned max_found = 4;
  found_site certain[max_found];  ///< written as glibc writes them, in assembly
  unsigned certain_count = 0;
  std::uint64_t doubtful[max_found];  ///< addresses of bytes that the decoder must look at
  unsigned doubtful_count = 0;

  clone_search(const segment& text, std::uint64_t near) {
    constexpr std::uint64_t around = 1 << 14;
    std::uint64_t from = near - around > text.address ? near - around : text.address;
    std::uint64_t to = near + around < text.range().end ? near + around : text.range().end;
    const std::uint8_t* p = text.bytes + (from - text.address);
    const std::uint8_t* end = text.bytes + (to - text.address);
    while (p < end) {
      // Both numbers, 56 and 435, have two zero bytes in front of the syscall.
      const void* hit = memmem(p, static_cast<std::size_t>(end - p), "\0\0\x0f\x05", 4);
      if (hit == nullptr) break;
      p = static_cast<const std::uint8_t*>(hit) + 2;
      look_at(text, p, end);
    }
  }

 private:
  void look_at(const segment& text, const std::uint8_t* p, const std::uint8_t* end) {
    if (p - text.bytes < 6 || end - p < 5) return;
    int nr = p[-4] | p[-3] << 8;
    if (p[-5] != 0xb8 || (nr != SYS_clone && nr != SYS_clone3)) return;
    std::uint64_t address = text.address + static_cast<std::uint64_t>(p - text.bytes);
    // Followed by test %rax,%rax, and no prefix that makes it a mov to another register: no chance, this is clone.S or
    // clone3.S. A decoder's tables cost more page faults than all the rest of a process's start.
    bool certainly = std::memcmp(p + 2, "\x48\x85\xc0", 3) == 0 && (p[-6] & 0xf0) != 0x40;
    if (certainly && certain_count < max_found) {
      found_site& f = certain[certain_count++];
      f.address = address;
      f.nr = nr;
      f.k = kind::mov_imm;
      f.window = address - 5;
      f.window_length = 5;
    } else if (doubtful_count < max_found) {
      doubtful[doubtful_count++] = address;
    }
  }
};

}  // namespace

unsigned patch_object(const image& object, address_range range) {
  return patch_object(object, range, true, other_threads(), false);
}

void patch_new_object(const image& object) {
  if (is_ours(object)) return;
  const std::lock_guard guard(the_sites.lock);
  patch_object(object, everywhere, true, other_threads(other_threads::none), true);
}

bool patch_clone_sites() {
  image libc;
  if (dl_iterate_phdr(find_libc, &libc) == 0) return false;
  // glibc makes threads by calling clone, or clone3 from 2.34 on, a neighbour that has no exported name. The call that
  // fork makes elsewhere is left alone: it makes no thread.
  std::uint64_t clone_function = reinterpret_cast<std::uint64_t>(&::clone);
  const segment* text = libc.find_segment(clone_function);
  if (text == nullptr || !text->executable) return false;
  clone_search search(*text, clone_function);
  detect_vectors();
  other_threads others;
  patch patches[clone_search::max_found];
  object_patch work(libc, patches);
  work.take(search.certain, search.certain_count, others);
  unsigned patched = finish(work, others);
  for (unsigned i = 0; i < search.doubtful_count; ++i) {
    patched += patch_object(libc, {search.doubtful[i], search.doubtful[i] + 2}, false, others, false);
  }
  return patched != 0;
}

// A fork's child has loaded objects before it made a thread.
static bool patch_what_came_since() {
  pages objects(max_objects * sizeof(image));
  if (objects.as<void>() == nullptr) return true;
  object_list list{objects.as<image>(), 0, max_objects};
  dl_iterate_phdr(list_object, &list);
  for (std::size_t i = 0; i < list.count; ++i) {
    if (!is_known_object(list.objects[i])) patch_object(list.objects[i], everywhere);
  }
  return true;
}

bool patch_all_sites() {
  static bool done = false;
  if (done) return patch_what_came_since();
  done = true;
  detect_vectors();
  pages objects(max_objects * sizeof(image)), works(max_objects * sizeof(object_patch));
  pages found(max_sites * sizeof(found_site)), patches(max_sites * sizeof(patch));
  decoder decode;
  if (objects.as<void>() == nullptr || works.as<void>() == nullptr || found.as<void>() == nullptr ||
      patches.as<void>() == nullptr || !decode.open()) {
    return false;
  }
  other_threads others;
  object_list list{objects.as<image>(), 0, max_objects};
  dl_iterate_phdr(list_object, &list);
  object_patch* work = works.as<object_patch>();
  std::size_t total = 0;
  for (std::size_t i = 0; i < list.count; ++i) {
    new (&work[i]) object_patch(list.objects[i], patches.as<patch>() + total);
    work[i].find(everywhere, decode, true, found.as<found_site>(), others);
    total += work[i].patch_count();
  }
  text_writer writer(others.any());
  {
    signals_blocked none_may_interrupt;
    for (std::size_t i = 0; i < list.count; ++i) work[i].write(writer);
  }
  bool changed = false;
  for (std::size_t i = 0; i < list.count; ++i) {
    work[i].conclude();
    changed = changed || work[i].patch_count() != 0;
  }
  return changed;
}

}  // namespace weft::shim
