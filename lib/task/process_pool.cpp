// SPDX-License-Identifier: MIT
#include "weft/process_pool.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mutex>
#include <system_error>

#include "task/process_worker.hpp"
#include "task/worker_message.hpp"

extern "C" {  // glibc 2.36's header forgets it
#include <sys/pidfd.h>
}
extern char** environ;  // NOLINT(readability-identifier-naming)

namespace weft {

namespace {

// One worker process, and our end of its socket.
struct process {
  pid_t pid = -1;
  int fd = -1;
  std::size_t tasks = 0;
  bool used_up = false;          // told to end: it takes no more
  process* next = nullptr;       // among the idle ones
  process* next_live = nullptr;  // among all
};

void check(int error, const char* what) {
  if (error != 0) throw std::system_error(error, std::generic_category(), what);
}

// The plan of a start. Each step's failure is thrown, and the plan freed all the same.
class start_plan {
 public:
  start_plan() {
    check(posix_spawn_file_actions_init(&actions_), "weft: a worker's start");
    posix_spawnattr_init(&attributes_);
  }
  start_plan(const start_plan&) = delete;
  start_plan& operator=(const start_plan&) = delete;
  ~start_plan() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }

  pid_t start(int socket, const std::string& limit) {
    constexpr const char* what = "weft: a worker's start";
    check(posix_spawn_file_actions_adddup2(&actions_, socket, tasks::worker_fd), what);
    check(posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0), what);
    check(posix_spawn_file_actions_addclosefrom_np(&actions_, tasks::worker_fd + 1), what);
    sigset_t none;
    sigemptyset(&none);
    check(posix_spawnattr_setsigmask(&attributes_, &none), what);
    check(posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK), what);
    std::string name = program_invocation_name;
    std::string argument = tasks::worker_argument;
    std::string most = limit;
    char* arguments[] = {name.data(), argument.data(), most.data(), nullptr};
    pid_t made = -1;
    check(posix_spawn(&made, "/proc/self/exe", &actions_, &attributes_, arguments, environ), what);
    return made;
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

process* start_process(std::size_t message_bytes) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) check(errno, "weft: a worker's socket");
  auto made = std::make_unique<process>();
  made->fd = ends[0];
  try {
    made->pid = start_plan().start(ends[1], std::to_string(message_bytes));
  } catch (...) {
    ::close(ends[0]);
    ::close(ends[1]);
    throw;
  }
  ::close(ends[1]);
  return made.release();
}

// Waits for the end of a process that is about to end. @return its status; -1 if somebody else has waited for it
int reap(pid_t pid) noexcept {
  int status = -1;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return status;
}

std::string told(pid_t pid, int status, const std::string& why) {
  std::string text = "weft: worker process " + std::to_string(pid) + " " + why;
  if (status == -1) return text;
  if (WIFSIGNALED(status)) return text + " (killed by signal " + std::to_string(WTERMSIG(status)) + ")";
  return text + " (exit status " + std::to_string(WEXITSTATUS(status)) + ")";
}

}  // namespace

remote_error::remote_error(std::string type, const std::string& what)
    : std::runtime_error(type + ": " + what), type_(std::move(type)) {}
remote_error::~remote_error() = default;

worker_died::worker_died(pid_t pid, int status, const std::string& why)
    : std::runtime_error(told(pid, status, why)), pid_(pid), status_(status) {}
worker_died::~worker_died() = default;

/// All workers of a pool. Each is idle, or in the hands of the one thread that waits for its answer.
class process_pool::processes {
 public:
  explicit processes(std::size_t message_bytes) noexcept : message_bytes_(message_bytes) {}
  processes(const processes&) = delete;
  processes& operator=(const processes&) = delete;
  ~processes() {
    // All are told before the first is waited for.
    for (const process* p = idle_; p != nullptr; p = p->next) ::shutdown(p->fd, SHUT_RDWR);
    while (process* const p = take_idle()) end(*p, /*kill_it=*/false);
  }

  /// An idle worker, or a new one.
  process& take() {
    forget_after_fork();
    while (process* const p = take_idle()) {
      if (!p->used_up && !is_dead(*p)) return *p;
      end(*p, /*kill_it=*/!p->used_up);  // it had no task: nothing is lost
    }
    process* const p = start_process(message_bytes_);
    const std::lock_guard guard(lock_);
    p->next_live = live_;
    live_ = p;
    return *p;
  }
  void give_back(process& p) noexcept {
    if (p.used_up) ::shutdown(p.fd, SHUT_WR);  // it ends now; who takes it next sees to the rest
    const std::lock_guard guard(lock_);
    p.next = idle_;
    idle_ = &p;
  }
  /// Ends a worker that the caller has taken. @return its status
  int end(process& p, bool kill_it) noexcept {
    {
      // Behind this nobody else can signal the number, which will be somebody else's.
      const std::lock_guard guard(lock_);
      for (process** at = &live_; *at != nullptr; at = &(*at)->next_live) {
        if (*at == &p) {
          *at = p.next_live;
          break;
        }
      }
    }
    const pid_t pid = p.pid;
    // A process that is dying keeps the status that it dies with; one that has only closed its socket would be waited for
    // in vain.
    if (kill_it) kill(pid, SIGKILL);
    ::close(p.fd);
    delete &p;
    if (!kill_it) kill_if_stuck(pid);
    return reap(pid);
  }
  void kill_all() noexcept {
    forget_after_fork();
    const std::lock_guard guard(lock_);
    for (const process* p = live_; p != nullptr; p = p->next_live) kill(p->pid, SIGKILL);
  }
  std::vector<pid_t> pids() const {
    for (std::size_t room = 16;; room *= 2) {
      std::vector<pid_t> found(room);  // no memory is taken under the lock
      std::size_t count = 0;
      {
        const std::lock_guard guard(lock_);
        for (const process* p = live_; p != nullptr; p = p->next_live, ++count) {
          if (count < room) found[count] = p->pid;
        }
      }
      if (count > room) continue;
      found.resize(count);
      return found;
    }
  }
  /// In a fork's child the workers are the parent's. Whoever held the lock is gone, and each step under it left lists
  /// that can be walked.
  void forget_after_fork() noexcept {
    if (getpid() == owner_) return;
    new (&lock_) detail::spinlock;
    owner_ = getpid();
    idle_ = nullptr;
    while (process* const p = live_) {
      live_ = p->next_live;
      ::close(p->fd);
      delete p;
    }
  }

 private:
  process* take_idle() noexcept {
    const std::lock_guard guard(lock_);
    process* const p = idle_;
    if (p != nullptr) idle_ = p->next;
    return p;
  }
  // An idle worker says nothing: what can be read is the end.
  static bool is_dead(const process& p) noexcept {
    pollfd one{p.fd, POLLIN, 0};
    return poll(&one, 1, 0) != 0;
  }
  // Its socket is closed, so it is on its way out; the program's own exit handlers may hold it up.
  static void kill_if_stuck(pid_t pid) noexcept {
    constexpr int grace_ms = 5000;
    const int fd = pidfd_open(pid, 0);
    if (fd < 0) return;
    pollfd one{fd, POLLIN, 0};
    if (poll(&one, 1, grace_ms) == 0) kill(pid, SIGKILL);
    ::close(fd);
  }

  const std::size_t message_bytes_;
  pid_t owner_ = getpid();
  mutable detail::spinlock lock_;
  process* idle_ = nullptr;
  process* live_ = nullptr;
};

process_pool::process_pool(const process_pool_options& options) : options_(options) {
  if (!tasks::main_serves_workers()) {
    throw std::logic_error(
        "weft: main must call weft::run_if_worker first, or a process_pool's workers would run it all");
  }
  processes_ = std::make_unique<processes>(options.message_bytes);
  tasks_ = std::make_unique<thread_pool>(thread_pool_options{.limit = options.limit, .name = "weft-processes"});
}

process_pool::~process_pool() {
  tasks_.reset();  // waits for the tasks
  processes_->forget_after_fork();
  // Ending the workers blocks, for a moment mostly: not on the hub's thread.
  try {
    thread_pool closer({.limit = 1});
    closer.submit([this] { processes_.reset(); });
  } catch (...) {  // no thread, no memory: here, then
  }
}

void process_pool::check_size(std::size_t bytes) const {
  if (bytes > options_.message_bytes) throw std::length_error("weft: a task's arguments exceed message_bytes");
}

std::string process_pool::call(const detail::remote_function& function, const std::string& arguments) {
  process& p = processes_->take();
  const pid_t pid = p.pid;
  const deadline by = options_.task_time.count() == 0 ? deadline::never() : deadline(options_.task_time);
  tasks::worker_header header;
  header.word = function.index;
  header.check = tasks::name_check(function.name);
  std::string body;
  tasks::message_end end = tasks::message_end::closed;
  try {
    if (tasks::send_message(p.fd, header, arguments)) {
      end = tasks::receive_message(p.fd, header, body, options_.message_bytes, by);
    }
  } catch (...) {  // no memory for the answer: the worker's socket is in its midst
    processes_->end(p, /*kill_it=*/true);
    throw;
  }
  if (end != tasks::message_end::complete) {
    const int status = processes_->end(p, /*kill_it=*/true);
    throw worker_died(pid, status, end == tasks::message_end::late ? "took longer than task_time" : "died in its task");
  }
  p.used_up = ++p.tasks == options_.tasks_per_worker;
  processes_->give_back(p);
  switch (static_cast<tasks::worker_status>(header.word)) {
    case tasks::worker_status::value:
      return body;
    case tasks::worker_status::too_long:
      throw std::length_error("weft: a task's result exceeds message_bytes");
    case tasks::worker_status::exception:
      break;
  }
  decoder from(body);
  std::string type = from.get<std::string>();
  throw remote_error(std::move(type), from.get<std::string>());
}

void process_pool::terminate() noexcept {
  cancel_pending();
  processes_->kill_all();
}

std::vector<pid_t> process_pool::workers() const {
  processes_->forget_after_fork();
  return processes_->pids();
}

}  // namespace weft
