// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <unistd.h>

/* Writes to fd, a pipe or a socket, until it takes no byte more. */
static void fill(int fd) {
  static const char block[1 << 16];
  int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  while (write(fd, block, sizeof block) > 0) {
  }
  while (write(fd, block, 1) > 0) {
  }
  fcntl(fd, F_SETFL, flags);
}
