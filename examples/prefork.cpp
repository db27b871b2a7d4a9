// SPDX-License-Identifier: MIT
// A server of several processes that accept from one listener on 127.0.0.1, as nginx and gunicorn are made:
//     prefork [PORT] [--workers N] [--limit N]
// Each connection is told the number of the process that serves it, and then gets back what it sends. A worker that dies is
// replaced. `--limit` is the number of connections that a worker serves at once. Ends on SIGTERM or SIGINT.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <set>
#include <string>
#include <weft/weft.hpp>

namespace {

using namespace std::chrono_literals;

void serve(weft::stream_socket s) {
  s.write_all(std::to_string(getpid()) + "\n");
  char room[1024];
  while (const std::size_t n = s.read_some(room)) s.write_all({room, n});
}

// What a worker does, in a process of its own. Never returns.
[[noreturn]] void work(weft::listener door, std::size_t limit) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  int status = 0;
  try {
    weft::signal_stream stop({SIGINT, SIGTERM});
    weft::stream_server server(std::move(door), serve, {.limit = limit});
    server.start();
    stop.receive();
    server.stop(100ms);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "prefork: worker %d: %s\n", getpid(), error.what());
    status = 1;
  }
  _exit(status);
}

class master {
 public:
  master(std::uint16_t port, std::size_t limit) : door_(weft::address::loopback(AF_INET, port)), limit_(limit) {}
  std::uint16_t port() const { return door_.local_address().port(); }

  void run(std::size_t workers) {
    // Before the first worker: none may end unseen.
    weft::signal_stream signals({SIGINT, SIGTERM, SIGCHLD});
    for (;;) {
      while (workers_.size() < workers) add_worker();
      if (signals.receive()->si_signo != SIGCHLD) break;
      collect(WNOHANG);
    }
    for (const pid_t worker : workers_) kill(worker, SIGTERM);
    while (!workers_.empty()) collect(0);
  }

 private:
  // In the child this fiber alone lives, on a hub of its own.
  void add_worker() {
    const pid_t child = fork();
    if (child < 0) throw std::system_error(errno, std::system_category(), "fork");
    if (child == 0) work(std::move(door_), limit_);
    workers_.insert(child);
  }

  void collect(int how) {
    int status = 0;
    for (pid_t ended = waitpid(-1, &status, how); ended > 0; ended = waitpid(-1, &status, WNOHANG)) {
      workers_.erase(ended);
      if (WIFSIGNALED(status)) std::fprintf(stderr, "prefork: worker %d died of signal %d\n", ended, WTERMSIG(status));
    }
  }

  weft::listener door_;
  const std::size_t limit_;
  std::set<pid_t> workers_;
};

}  // namespace

int main(int argc, char** argv) {
  long port = 0, workers = 2, limit = 1000;
  bool understood = true;
  for (int i = 1; i < argc; ++i) {
    long& number = std::strcmp(argv[i], "--workers") == 0 ? workers
                   : std::strcmp(argv[i], "--limit") == 0 ? limit
                                                          : port;
    if (&number != &port && ++i == argc) {
      understood = false;
      break;
    }
    char* end = nullptr;
    number = std::strtol(argv[i], &end, 10);
    understood = understood && *argv[i] != '\0' && *end == '\0';
  }
  if (!understood || port < 0 || port > 65535 || workers < 1 || limit < 1) {
    std::fputs("usage: prefork [PORT] [--workers N] [--limit N]\n", stderr);
    return 2;
  }
  try {
    master all(static_cast<std::uint16_t>(port), static_cast<std::size_t>(limit));
    std::printf("listening on %u\n", all.port());
    std::fflush(stdout);
    all.run(static_cast<std::size_t>(workers));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "prefork: %s\n", error.what());
    return 1;
  }
}
