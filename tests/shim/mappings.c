// SPDX-License-Identifier: MIT
// Natively each thread's stack is two mappings, and a process may have 65,530. Under Weft many stacks, with their guards, are one.
//
//     mappings             under Weft
//     mappings natively    libc's own
#include <sys/mman.h>

#include "check.h"

enum { threads = 500 };
static int gate, running;

static void* stay(void* arg) {
  ADD(running, 1);
  while (!LOAD(gate)) nap();
  return arg;
}

static int count_mappings(void) {
  FILE* maps = fopen("/proc/self/maps", "re");
  int lines = 0;
  for (int c; (c = getc(maps)) != EOF;) lines += c == '\n';
  fclose(maps);
  return lines;
}

int main(int argc, char** argv) {
  const int natively = argc > 1 && strcmp(argv[1], "natively") == 0;
  const int guard_install = 102; /* MADV_GUARD_INSTALL, Linux 6.13; before, a guard is a mapping */
  char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (madvise(page, 4096, guard_install) != 0) {
    puts("skipped: the kernel has no lightweight guards");
    return 77;
  }
  begin();
  const int before = count_mappings();
  pthread_t all[threads];
  for (int i = 0; i < threads; ++i) all[i] = start(stay, NULL);
  AWAIT(LOAD(running) == threads);
  const int more = count_mappings() - before;
  if (natively ? more < 2 * threads : more > threads / 50)
    check_failed(__FILE__, __LINE__, "%d threads took %d mappings", threads, more);
  STORE(gate, 1);
  for (int i = 0; i < threads; ++i) finish(all[i]);
  return end();
}
