// SPDX-License-Identifier: MIT
#pragma once

#include <ares.h>
#include <poll.h>

#include <memory>
#include <mutex>
#include <vector>

#include "weft/address.hpp"
#include "weft/ares.hpp"
#include "weft/detail/spin.hpp"
#include "weft/name_service.hpp"
#include "weft/unique_fd.hpp"

namespace weft::ares {

std::error_code code_of(int status) noexcept;

/// A channel of c-ares and the questions for it. A thread of a pool runs it while there are any.
class engine : public std::enable_shared_from_this<engine> {
 public:
  struct question {
    name_query query;
    address of;  // of a family: its name is asked for
    name_service::receiver done;
    engine* asked = nullptr;
  };

  explicit engine(const ares_names_options& options);
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;
  ~engine();

  /// From any thread.
  void submit(std::unique_ptr<question> q);

 private:
  void run();
  std::vector<std::unique_ptr<question>> take();
  void begin(std::unique_ptr<question> q);
  void answer(std::unique_ptr<question> q, name_answer a);
  void poll_once();
  void note_socket(int fd, bool readable, bool writable);

  static void on_addresses(void* held, int status, int timeouts, ares_addrinfo* found);
  static void on_name(void* held, int status, int timeouts, char* name, char* service);

  const unique_fd bell_;  // an eventfd: there are questions
  ares_channel channel_ = nullptr;

  detail::spinlock lock_;  // of the two below
  std::vector<std::unique_ptr<question>> asked_;
  bool running_ = false;

  // Of the thread that runs it.
  std::size_t open_ = 0;
  std::vector<pollfd> sockets_;
};

}  // namespace weft::ares
