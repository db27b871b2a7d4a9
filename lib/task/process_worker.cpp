// SPDX-License-Identifier: MIT
// The worker's side of a process_pool: the registered functions, and the loop that calls them.
#include "task/process_worker.hpp"

#include <cxxabi.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <exception>
#include <memory>
#include <typeinfo>

#include "task/worker_message.hpp"
#include "weft/cancelled.hpp"
#include "weft/process_pool.hpp"

namespace weft {

namespace {

// Constant-initialised: functions register while other objects of the program are being initialised.
constinit detail::remote_function* functions = nullptr;
constinit std::uint32_t function_count = 0;
constinit bool main_has_called = false;

const detail::remote_function* find(std::uint32_t index, std::uint64_t check) noexcept {
  for (const detail::remote_function* f = functions; f != nullptr; f = f->next) {
    if (f->index == index) return tasks::name_check(f->name) == check ? f : nullptr;
  }
  return nullptr;
}

std::string readable(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), free);
  return name ? name.get() : type.name();
}

// In a handler: what is to be told of the exception.
std::string describe() {
  encoder to;
  try {
    throw;
  } catch (const cancelled&) {
    to.put(std::string("weft::cancelled"), std::string("the task was cancelled in its worker"));
  } catch (const std::exception& e) {
    to.put(readable(typeid(e)), std::string(e.what()));
  } catch (...) {
    to.put(readable(*abi::__cxa_current_exception_type()), std::string("no std::exception"));
  }
  return std::move(to).take();
}

tasks::worker_status answer(const tasks::worker_header& asked, const std::string& arguments, std::string& body) {
  try {
    const detail::remote_function* const f = find(asked.word, asked.check);
    if (f == nullptr) throw std::logic_error("the worker does not have the function: was it loaded after the start?");
    decoder from(arguments);
    encoder to;
    f->call(from, to);
    body = std::move(to).take();
    return tasks::worker_status::value;
  } catch (...) {
    body = describe();
    return tasks::worker_status::exception;
  }
}

[[noreturn]] void serve(int fd, std::size_t most) {
  signal(SIGINT, SIG_IGN);
  pthread_setname_np(pthread_self(), "weft-worker");
  for (;;) {
    tasks::worker_header header;
    std::string body;
    if (tasks::receive_message(fd, header, body, most, deadline::never()) != tasks::message_end::complete) break;
    std::string result;
    tasks::worker_header reply;
    tasks::worker_status status = answer(header, body, result);
    if (result.size() > most) {
      status = tasks::worker_status::too_long;
      result.clear();
    }
    reply.word = static_cast<std::uint32_t>(status);
    if (!tasks::send_message(fd, reply, result)) break;
  }
  exit(0);
}

}  // namespace

namespace detail {

remote_function::remote_function(const char* function_name, void (*function)(decoder&, encoder&)) noexcept
    : name(function_name), call(function), next(functions), index(function_count++) {
  functions = this;
}

}  // namespace detail

bool tasks::main_serves_workers() noexcept { return main_has_called; }

void run_if_worker(int argc, char** argv) {
  main_has_called = true;
  if (argc != 3 || strcmp(argv[1], tasks::worker_argument) != 0) return;
  // Who starts the program like that by hand has no socket there.
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(tasks::worker_fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    constexpr char text[] = "weft: this is how a program starts its worker processes; nobody else can\n";
    static_cast<void>(!write(STDERR_FILENO, text, sizeof text - 1));
    _exit(2);
  }
  fcntl(tasks::worker_fd, F_SETFD, FD_CLOEXEC);  // what the task starts must not keep the program's end company
  serve(tasks::worker_fd, strtoull(argv[2], nullptr, 10));
}

}  // namespace weft
