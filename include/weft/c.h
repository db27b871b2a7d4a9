/* SPDX-License-Identifier: MIT */
#ifndef WEFT_C_H
#define WEFT_C_H

/* Fibers for C, and for the bindings of other languages: spawn, join, sleep, yield, wait on a descriptor. C++ programs take the
 * C++ headers.
 *
 *     static void *beat(void *ms) {
 *       for (int i = 0; i < 3; ++i) weft_sleep(weft_after(*(int *)ms * 1000000LL));
 *       return NULL;
 *     }
 *     ...
 *     weft_fiber *fiber;
 *     int error = weft_spawn(&fiber, beat, &ms, NULL);
 *     if (error == 0) weft_join(fiber, NULL, WEFT_NEVER);
 *
 * Fibers of one OS thread take turns: another one runs only while this one is in a call of Weft's that waits, or in weft_yield.
 *
 * Errors    A call returns 0 or more when it has done what it says, and a negative errno value when it has not. errno is left as it may
 *           be. Nothing is thrown; a function given to weft_spawn that lets a C++ exception out ends the program.
 * Blocking  Calls that take a deadline, and weft_run, suspend the calling fiber.
 * Timeout   -ETIMEDOUT; a deadline that has passed means "try, do not wait".
 * Cancel    Those calls are cancellation points: after weft_cancel one of them returns -ECANCELED, once, and has done nothing. The
 *           function should clean up and return. What C++ code around it cancels (a timeout, a scope) is told in the same way.
 * Threads   From any. A fiber belongs to the thread that spawned it; a thread without a hub gets one at its first call.
 * Bindings  Every function is a symbol of libweft.so, with arguments of C alone. An interpreter whose own state follows the C stack
 *           (CPython's does) exchanges that state when fibers change, or calls nothing here that waits from a function that a fiber runs.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A handle of a fiber. One for each, like a pthread_t: given back by a join or a detach. */
typedef struct weft_fiber weft_fiber;

typedef void* (*weft_function)(void* argument);

/* How a fiber is made. All of it zero is the default. */
struct weft_attributes {
  const char* name;  /* shown in dumps; up to 15 bytes are kept */
  size_t stack_size; /* bytes at least; 0: 60 KiB. 12 KiB are the least, 1 GiB less 4 KiB the most */
};

/* A point in time in nanoseconds of CLOCK_MONOTONIC, or never. */
typedef int64_t weft_deadline;
#define WEFT_NEVER INT64_MAX
/* The point that lies @p ns nanoseconds from now; WEFT_NEVER if there is no such number. */
weft_deadline weft_after(int64_t ns);

/* What joining a fiber gives that was cancelled before it began to run. */
#define WEFT_CANCELED ((void*)-1)

/* Starts a fiber that calls @p function with @p argument; it runs when the caller waits or yields.
 * @p fiber       where its handle goes; NULL: it is detached
 * @p attributes  NULL: the defaults
 * Returns 0; -EINVAL without a function or for too large a stack, -ENOMEM, or -EMFILE and its like when the thread's hub cannot be made. */
int weft_spawn(weft_fiber** fiber, weft_function function, void* argument, const struct weft_attributes* attributes);

/* Waits until @p fiber has ended, and gives the handle back.
 * @p result  where what its function returned goes; may be NULL
 * Returns 0; -ETIMEDOUT, -ECANCELED, or -EDEADLK for the calling fiber itself, and then the handle is still good; -EINVAL for NULL. */
int weft_join(weft_fiber* fiber, void** result, weft_deadline by);

/* Gives the handle back; the fiber runs on. Nothing for NULL. */
void weft_detach(weft_fiber* fiber);

/* Asks @p fiber to end: the call of Weft's in which it waits, or waits next, returns -ECANCELED. One that has not begun never runs.
 * Does not wait. Nothing for NULL. */
void weft_cancel(weft_fiber* fiber);

/* Calls @p function with @p argument in a fiber of the calling thread and waits for it, however long it takes; nothing cancels the
 * wait. With a deadline: weft_spawn and weft_join.
 * @p result  where what it returned goes; may be NULL
 * Returns 0, or what weft_spawn returns. */
int weft_run(weft_function function, void* argument, void** result);

/* Waits until @p by. Returns 0, or -ECANCELED. */
int weft_sleep(weft_deadline by);

/* Lets the other fibers that are ready run first. Returns 0, or -ECANCELED. */
int weft_yield(void);

/* Waits until one of poll(2)'s @p events, an error or a hang-up is there for @p fd. Any number of fibers may wait for one.
 * Returns the events, which are more than 0; -ETIMEDOUT, -ECANCELED, -EBADF if it is not open. */
int weft_wait_fd(int fd, short events, weft_deadline by);

/* Closes @p fd; fibers that wait for it wake. Returns 0 or -EBADF, or another error of close(2). */
int weft_close(int fd);

#ifdef __cplusplus
}
#endif

#endif
