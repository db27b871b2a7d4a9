// SPDX-License-Identifier: MIT
// Threads that wait for completions of an io_uring and of kernel AIO, which another thread then causes.
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "check.h"

struct ring {
  int fd;
  struct io_uring_params params;
  char *submissions, *completions;
  struct io_uring_sqe* entries;
};
static struct ring shared;
static aio_context_t context;
static int waiting, over, ends[2];

static unsigned* word(char* base, unsigned offset) { return (unsigned*)(void*)(base + offset); }

static int make(struct ring* r, unsigned flags) {
  memset(r, 0, sizeof *r);
  r->params.flags = flags;
  r->fd = (int)syscall(SYS_io_uring_setup, 8, &r->params);
  if (r->fd < 0) return 0;
  struct io_uring_params* p = &r->params;
  CHECK_EQ(p->flags, flags);
  r->submissions = mmap(NULL, p->sq_off.array + p->sq_entries * sizeof(unsigned), PROT_READ | PROT_WRITE, MAP_SHARED,
                        r->fd, IORING_OFF_SQ_RING);
  r->completions = mmap(NULL, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE,
                        MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
  r->entries = mmap(NULL, p->sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
                    IORING_OFF_SQES);
  return 1;
}

static long enter(struct ring* r, unsigned submit, unsigned least) {
  return syscall(SYS_io_uring_enter, r->fd, submit, least, least ? IORING_ENTER_GETEVENTS : 0, NULL, 8);
}

static long enter_for(struct ring* r, unsigned least, long long ms) {
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  struct io_uring_getevents_arg more = {.ts = (unsigned long long)(uintptr_t)&time};
  return syscall(SYS_io_uring_enter, r->fd, 0, least, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &more,
                 sizeof more);
}

static struct io_uring_sqe* next_entry(struct ring* r, int operation, unsigned long long tag) {
  unsigned tail = *word(r->submissions, r->params.sq_off.tail), index = tail & (r->params.sq_entries - 1);
  memset(&r->entries[index], 0, sizeof r->entries[index]);
  r->entries[index].opcode = (unsigned char)operation;
  r->entries[index].user_data = tag;
  word(r->submissions, r->params.sq_off.array)[index] = index;
  STORE(*word(r->submissions, r->params.sq_off.tail), tail + 1);
  return &r->entries[index];
}

/* One that is over once somebody writes to the pipe. */
static void read_of_pipe(struct ring* r, char* byte, unsigned long long tag) {
  struct io_uring_sqe* entry = next_entry(r, IORING_OP_READ, tag);
  entry->fd = ends[0];
  entry->addr = (unsigned long long)(uintptr_t)byte;
  entry->len = 1;
}

static unsigned long long completion(struct ring* r) {
  unsigned head = *word(r->completions, r->params.cq_off.head);
  if (head == LOAD(*word(r->completions, r->params.cq_off.tail))) return 0;
  struct io_uring_cqe* all = (struct io_uring_cqe*)(void*)(r->completions + r->params.cq_off.cqes);
  unsigned long long tag = all[head & (r->params.cq_entries - 1)].user_data;
  STORE(*word(r->completions, r->params.cq_off.head), head + 1);
  return tag;
}

static void* wait_for_ring(void* arg) {
  STORE(waiting, 1);
  CHECK_EQ(enter(&shared, 0, 1), 0);
  FACT("ring: %llu", completion(&shared));
  STORE(over, 1);
  return arg;
}

/* Completions that the kernel puts off until the ring's one thread enters it. */
enum { PUT_OFF = 1 << 12 | 1 << 13 }; /* IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_DEFER_TASKRUN */

static void read_and_wait(struct ring* r) {
  char bytes[3];
  for (unsigned i = 0; i < 3; i++) read_of_pipe(r, &bytes[i], i + 1);
  CHECK_EQ(enter(r, 3, 0), 3);
  CHECK_ERR(enter_for(r, 1, 20), ETIME);
  STORE(waiting, 1);
  CHECK_EQ(enter(r, 0, 1), 0);
  unsigned long long sum = completion(r);
  STORE(over, 1);
  CHECK_EQ(enter_for(r, 2, 60000), 0);
  sum += completion(r);
  sum += completion(r);
  FACT("put off: %llu %llu", sum, completion(r));
}
static void* wait_for_put_off(void* arg) {
  struct ring mine;
  if (make(&mine, PUT_OFF)) read_and_wait(&mine); /* Linux 6.1 */
  STORE(over, 1);
  return arg;
}
static void* write_one_by_one(void* arg) {
  AWAIT(LOAD(waiting));
  CHECK_EQ(write(ends[1], "1", 1), 1);
  AWAIT(LOAD(over));
  CHECK_EQ(write(ends[1], "23", 2), 2);
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
  for (long long end = now_us() + 30000; now_us() < end;) {
  }
}

static void test_ring(void) {
  pthread_t t = start(wait_for_ring, &shared);
  AWAIT(LOAD(waiting));
  work();
  CHECK_EQ(LOAD(over), 0);
  next_entry(&shared, IORING_OP_NOP, 7);
  CHECK_EQ(enter(&shared, 1, 0), 1);
  finish(t);
  next_entry(&shared, IORING_OP_NOP, 8);
  next_entry(&shared, IORING_OP_NOP, 9);
  CHECK_EQ(enter(&shared, 2, 2), 2);
  unsigned long long first = completion(&shared), second = completion(&shared);
  FACT("both: %llu %llu %llu", first, second, completion(&shared));
  CHECK_ERR(syscall(SYS_io_uring_enter, 999, 0, 1, IORING_ENTER_GETEVENTS, NULL, 8), EBADF);
  CHECK_ERR(enter_for(&shared, 1, 1), ETIME);
  CHECK_ERR(enter_for(&shared, 2, 1), ETIME);
  CHECK_ERR(syscall(SYS_io_uring_setup, 8, NULL), EFAULT);
}

/* A ring of the first thread, made before there were others, and one of another thread. */
static void test_put_off(struct ring* early) {
  for (int i = 0; i < 2; i++) {
    STORE(waiting, 0);
    STORE(over, 0);
    pthread_t t = start(i == 0 ? write_one_by_one : wait_for_put_off, NULL);
    if (i == 0) {
      read_and_wait(early);
    } else {
      write_one_by_one(NULL);
    }
    finish(t);
  }
}

/* Takes what is there, which is nothing, while others want the processor. */
static void* take_nothing(void* arg) {
  aio_context_t* mine = arg;
  struct io_event event;
  for (long long end = now_us() + 150000; now_us() < end;) {
    CHECK_EQ(syscall(SYS_io_getevents, *mine, 0, 1, &event, NULL), 0);
  }
  return arg;
}
static void test_busy_aio(void) {
  aio_context_t nothing = 0;
  CHECK_EQ(syscall(SYS_io_setup, 8, &nothing), 0);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) threads[i] = start(take_nothing, &nothing);
  for (int i = 0; i < 4; i++) finish(threads[i]);
  CHECK_EQ(syscall(SYS_io_destroy, nothing), 0);
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
  struct ring early;
  if (!make(&shared, 0)) exit(77); /* containers may deny it */
  CHECK_EQ(pipe(ends), 0);
  int put_off = make(&early, PUT_OFF);
  test_ring();
  if (put_off) test_put_off(&early);
  test_aio();
  test_busy_aio();
  return check_failures != 0;
}
