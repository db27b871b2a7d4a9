// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/deadline.hpp"
#include "weft/detail/subscription.hpp"
#include "weft/exit_status.hpp"
#include "weft/pipe.hpp"

namespace weft {

/// Where a standard stream of a child comes from or goes to.
class stdio {
 public:
  /// The parent's own.
  static constexpr stdio inherit() noexcept { return stdio(how::inherit, -1); }
  /// A new pipe, whose other end the `process` has.
  static constexpr stdio pipe() noexcept { return stdio(how::pipe, -1); }
  /// /dev/null.
  static constexpr stdio null() noexcept { return stdio(how::null, -1); }
  /// For the error stream: where the output goes.
  static constexpr stdio output() noexcept { return stdio(how::output, -1); }
  /// A descriptor of the parent, which stays the parent's: a file, a socket, another child's pipe. Should be blocking.
  static constexpr stdio from(int fd) noexcept { return stdio(how::descriptor, fd); }

  friend constexpr bool operator==(const stdio&, const stdio&) noexcept = default;

 private:
  friend class child_actions;
  enum class how : unsigned char { inherit, pipe, null, output, descriptor };
  constexpr stdio(how h, int fd) noexcept : how_(h), fd_(fd) {}
  how how_;
  int fd_;
};

/// How a child is made; the defaults give it what the parent has, but for signals and stray descriptors.
struct process_options {
  stdio in = stdio::inherit();
  stdio out = stdio::inherit();
  stdio err = stdio::inherit();
  /// The folder it starts in; empty: the parent's.
  std::string cwd{};
  /// All of its environment, as "NAME=value"; nothing: the parent's.
  std::optional<std::vector<std::string>> environment{};
  /// A program without a slash is looked for in the parent's PATH.
  bool search_path = true;
  /// Makes it the leader of a group of its own, for `kill_group`; so it gets no Ctrl-C of the terminal.
  bool new_group = false;
  /// The group to put it into; 0: see above.
  pid_t group = 0;
  /// Makes it the leader of a session of its own, without a terminal.
  bool new_session = false;
  /// Closes what is not close-on-exec above the standard streams and `descriptors`.
  bool close_others = true;
  /// Other descriptors it gets: its number, which is above 2, and the parent's.
  std::vector<std::pair<int, int>> descriptors{};
};

/// What a child wrote to its piped streams.
struct process_output {
  std::string out;
  std::string err;
};

/// What `run_process` returns.
struct completed_process : process_output {
  exit_status status;
};

/// A child process: another program, run beside this one. For a function in a process of its own see `process_pool`; for
/// the whole of it in one call see `run_process` and `check_output`.
///
///     weft::process sort({"sort", "-n"}, {.in = weft::stdio::pipe(), .out = weft::stdio::pipe()});
///     auto result = sort.communicate("3\n1\n2\n", 10s);
///     if (!result) sort.kill();                          // it did not end in time
///     if (sort.wait().success()) use(result->out);
///
/// It is made by posix_spawn(3) and watched by its pidfd; SIGCHLD is left to the program, and other children are never
/// waited for. The child starts with no signal blocked and with the default action for SIGPIPE and for the signals that
/// this process handles.
///
/// Blocking  `wait` and `communicate` suspend the calling fiber. The constructor holds its hub until the child has begun its
///           program (posix_spawn), which loads no more than its first page.
/// Timeout   When @p by passes, `wait` and `communicate` return nothing, and may be called again: no output is lost.
/// Cancel    Both are cancellation points; the child runs on. What was read until then is there for the next call.
/// Threads   Any number of fibers, of any hub, may wait at once, and send signals. `communicate` and the pipes are for one.
/// Lifetime  Destruction closes the pipes; a child that runs still runs on, and is reaped when it has ended and the next
///           `process` is made. Who is in `wait` meanwhile is still told its status, who is in `communicate` EBADF. In a
///           fork's child it is nobody's: `wait` gives an unknown status. Assigning exchanges the two. One that was moved
///           away has no child: its calls throw std::logic_error.
/// Cost      One posix_spawn, which does not copy the parent's page tables as fork(2) does, a pidfd, and a descriptor for each pipe.
class process {
 public:
  /// Starts @p command's first word with all of them as its arguments.
  /// @throws std::system_error  (of the system category, as all of this class) the program cannot be started: ENOENT, EACCES, and for what there is no memory, descriptor or
  ///         process left; EINVAL for no command, a word with a zero byte, or `descriptors` below 3
  explicit process(const std::vector<std::string>& command, const process_options& options = {});
  process(process&& other) noexcept;
  process& operator=(process&& other) noexcept;
  ~process();

  pid_t pid() const;
  /// Our ends of the streams that are pipes; closed ones otherwise.
  pipe_writer& in();
  pipe_reader& out();
  pipe_reader& err();

  /// Waits until it has ended. Then, and ever after, its status is here and its number may be used anew by the kernel.
  /// @throws cancelled
  exit_status wait();
  /// @return nothing if @p by passed first
  std::optional<exit_status> wait(deadline by);
  /// Its status if it has ended. Never waits.
  std::optional<exit_status> poll();
  /// Whether it has ended.
  bool ready() const;
  // What a waitable offers: see waitable.hpp. The first on a hub starts a fiber there, which lives until the child has ended,
  // and is left behind if its thread ends before that.
  void add_waiter(detail::subscription& s);
  void remove_waiter(detail::subscription& s) noexcept;

  /// Writes @p input to its input and closes that, reads its output and errors until their ends, as far as they are pipes, and
  /// waits. What it does not read of the input is dropped without an error.
  ///
  /// @param input  must live until a call has returned something; a further call goes on with what is left of the first one's
  /// @return nothing if @p by passed first; if it is called again behind that: nothing more was written
  /// @throws cancelled; std::system_error  reading fails
  std::optional<process_output> communicate(std::string_view input = {}, deadline by = deadline::never());

  /// Sends @p signum, to no other process than this one. @return false if it had ended
  /// @throws std::system_error  EINVAL, or EPERM for a child that has changed its user
  bool send_signal(int signum);
  bool terminate();  ///< SIGTERM
  bool kill();       ///< SIGKILL
  /// Sends @p signum to its group, whose other members may live on after it; for `new_group` and `new_session`.
  /// @return false if there is nobody in it
  /// @throws std::logic_error  it has no group of its own: the signal would reach this process
  bool send_signal_to_group(int signum);

 private:
  friend completed_process run_process(std::vector<std::string> command, std::string_view input,
                                       const process_options& options, deadline by);
  class state;
  void kill_and_wait(process_output& rest);
  const std::shared_ptr<state>& own() const;
  std::shared_ptr<state> state_;
};

/// A child ended otherwise than by exit(0), or did not end in time.
class process_error : public std::runtime_error {
 public:
  process_error(const std::string& what, completed_process result, bool timed_out);
  /// How it ended, and what it had written until then.
  const completed_process& result() const noexcept { return *result_; }
  /// Whether it was killed because the deadline had passed.
  bool timed_out() const noexcept { return timed_out_; }

 private:
  std::shared_ptr<const completed_process> result_;
  bool timed_out_;
};

/// Runs @p command to its end, gives it @p input and collects what it writes to piped streams (`stdio::pipe` in @p options).
/// The input is a pipe if there is one.
///
/// When @p by passes or the fiber is cancelled it is killed, with its group if it has one of its own, and waited for.
/// @throws process_error  @p by passed; what process throws
completed_process run_process(std::vector<std::string> command, std::string_view input = {},
                              const process_options& options = {}, deadline by = deadline::never());

/// The output of @p command; its errors go where this process's go.
/// @throws process_error  it did not end with exit(0), or not until @p by
std::string check_output(std::vector<std::string> command, std::string_view input = {},
                         deadline by = deadline::never());

/// A command line for `process` and the others that /bin/sh reads. The caller answers for what is in it.
std::vector<std::string> shell(std::string line);

}  // namespace weft
