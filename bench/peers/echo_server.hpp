// SPDX-License-Identifier: MIT
#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cstdio>

namespace peers {

/// A non-blocking listener on a free port of 127.0.0.1, which it prints as the benches want to read it; -1 if that fails.
/// Raises the limit of descriptors as far as allowed.
inline int start_listening() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  auto* name = reinterpret_cast<sockaddr*>(&at);
  if (bind(listener, name, size) != 0 || listen(listener, 16384) != 0 || getsockname(listener, name, &size) != 0) {
    std::perror("listen");
    return -1;
  }
  std::printf("listening on %d\n", ntohs(at.sin_port));
  std::fflush(stdout);
  return listener;
}

}  // namespace peers
