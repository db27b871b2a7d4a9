// SPDX-License-Identifier: MIT
// Fibers from C: one writes lines into a pipe, another reads them as they come, and a third counts the time meanwhile, all on
// the thread of main.
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/c.h>

enum { lines = 5 };
static const int64_t millisecond = 1000000;

struct ends {
  int in, out;
};

static void* write_lines(void* at) {
  const int out = ((const struct ends*)at)->out;
  for (int i = 1; i <= lines; ++i) {
    char line[32];
    const int length = snprintf(line, sizeof line, "line %d\n", i);
    if (write(out, line, (size_t)length) != length) break;
    if (weft_sleep(weft_after(10 * millisecond)) != 0) break;
  }
  weft_close(out);
  return NULL;
}

// Returns when the writer has closed its end.
static void* read_lines(void* at) {
  const int in = ((const struct ends*)at)->in;
  char text[64];
  while (weft_wait_fd(in, POLLIN, WEFT_NEVER) > 0) {
    const ssize_t n = read(in, text, sizeof text - 1);
    if (n <= 0) break;
    text[n] = '\0';
    printf("read: %s", text);
  }
  weft_close(in);
  return NULL;
}

static void* count(void* beats) {
  while (weft_sleep(weft_after(millisecond)) == 0) ++*(int*)beats;
  return NULL;  // cancelled
}

int main(void) {
  int fds[2];
  if (pipe(fds) != 0) {
    perror("pipe");
    return 1;
  }
  struct ends ends = {fds[0], fds[1]};
  int beats = 0;
  weft_fiber *counter, *writer, *reader;
  int error = weft_spawn(&counter, count, &beats, NULL);
  if (error == 0) error = weft_spawn(&writer, write_lines, &ends, NULL);
  if (error == 0) error = weft_spawn(&reader, read_lines, &ends, NULL);
  if (error != 0) {
    fprintf(stderr, "weft_spawn: %s\n", strerror(-error));
    return 1;
  }
  weft_join(writer, NULL, WEFT_NEVER);
  weft_join(reader, NULL, WEFT_NEVER);
  weft_cancel(counter);
  weft_join(counter, NULL, WEFT_NEVER);
  printf("%d lines, and the counter %s\n", lines, beats > lines ? "ran meanwhile" : "was held up");
  return 0;
}
