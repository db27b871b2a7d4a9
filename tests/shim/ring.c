// SPDX-License-Identifier: MIT
// Threads that wait for completions of an io_uring and of kernel AIO, which another thread then causes.
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "check.h"

static int ring;
static struct io_uring_params params;
static char *submissions, *completions;
static struct io_uring_sqe* entries;
static aio_context_t context;
static int waiting, over;

static unsigned* word(char* base, unsigned offset) { return (unsigned*)(void*)(base + offset); }

static long enter(unsigned submit, unsigned least) {
  return syscall(SYS_io_uring_enter, ring, submit, least, least ? IORING_ENTER_GETEVENTS : 0, NULL, 8);
}

static void no_operation(unsigned long long tag) {
  unsigned tail = *word(submissions, params.sq_off.tail), index = tail & (params.sq_entries - 1);
  memset(&entries[index], 0, sizeof entries[index]);
  entries[index].opcode = IORING_OP_NOP;
  entries[index].user_data = tag;
  word(submissions, params.sq_off.array)[index] = index;
  STORE(*word(submissions, params.sq_off.tail), tail + 1);
}

static unsigned long long completion(void) {
  unsigned head = *word(completions, params.cq_off.head);
  if (head == LOAD(*word(completions, params.cq_off.tail))) return 0;
  struct io_uring_cqe* all = (struct io_uring_cqe*)(void*)(completions + params.cq_off.cqes);
  unsigned long long tag = all[head & (params.cq_entries - 1)].user_data;
  STORE(*word(completions, params.cq_off.head), head + 1);
  return tag;
}

static void* wait_for_ring(void* arg) {
  STORE(waiting, 1);
  CHECK_EQ(enter(0, 1), 0);
  FACT("ring: %llu", completion());
  STORE(over, 1);
  return arg;
}

static void* wait_for_aio(void* arg) {
  struct io_event events[2];
  STORE(waiting, 1);
  CHECK_EQ(syscall(SYS_io_getevents, context, 2, 2, events, NULL), 2);
  FACT("aio: %lld bytes and %lld", (long long)events[0].res, (long long)events[1].res);
  STORE(over, 1);
  return arg;
}

// Keeps the processor busy for longer than a scheduler lets it, so that a carrier stuck in the wait would show.
static void work(void) {
  struct timespec from, now;
  clock_gettime(CLOCK_MONOTONIC, &from);
  do clock_gettime(CLOCK_MONOTONIC, &now);
  while ((now.tv_sec - from.tv_sec) * 1000000000L + now.tv_nsec - from.tv_nsec < 30000000L);
}

static void test_ring(void) {
  ring = (int)syscall(SYS_io_uring_setup, 8, &params);
  if (ring < 0) exit(77);  // containers may deny it
  submissions = mmap(NULL, params.sq_off.array + params.sq_entries * sizeof(unsigned), PROT_READ | PROT_WRITE,
                     MAP_SHARED, ring, IORING_OFF_SQ_RING);
  completions = mmap(NULL, params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE,
                     MAP_SHARED, ring, IORING_OFF_CQ_RING);
  entries = mmap(NULL, params.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
                 IORING_OFF_SQES);
  pthread_t t = start(wait_for_ring, &ring);
  AWAIT(LOAD(waiting));
  work();
  CHECK_EQ(LOAD(over), 0);
  no_operation(7);
  CHECK_EQ(enter(1, 0), 1);
  finish(t);
  no_operation(8);
  no_operation(9);
  CHECK_EQ(enter(2, 2), 2);
  unsigned long long first = completion(), second = completion();
  FACT("both: %llu %llu %llu", first, second, completion());
  CHECK_ERR(syscall(SYS_io_uring_enter, 999, 0, 1, IORING_ENTER_GETEVENTS, NULL, 8), EBADF);
}

static void test_aio(void) {
  char path[] = "/tmp/weft-ring-XXXXXX";
  int file = mkstemp(path);
  unlink(path);
  CHECK_EQ(syscall(SYS_io_setup, 8, &context), 0);
  STORE(waiting, 0);
  STORE(over, 0);
  pthread_t t = start(wait_for_aio, &context);
  AWAIT(LOAD(waiting));
  for (int i = 0; i < 2; i++) {
    work();
    CHECK_EQ(LOAD(over), 0);
    struct iocb block, *blocks = &block;
    memset(&block, 0, sizeof block);
    block.aio_lio_opcode = IOCB_CMD_PWRITE;
    block.aio_fildes = (unsigned)file;
    block.aio_buf = (unsigned long)path;
    block.aio_nbytes = 5;
    CHECK_EQ(syscall(SYS_io_submit, context, 1, &blocks), 1);
  }
  finish(t);
  CHECK_EQ(syscall(SYS_io_destroy, context), 0);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  test_ring();
  test_aio();
  return check_failures != 0;
}
