// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "weft/address.hpp"
#include "weft/name_service.hpp"

namespace weft {

struct ares_names_options {
  /// The servers to ask, in this order; port 0 is 53. None: those of /etc/resolv.conf.
  std::vector<address> servers{};
  /// How long a server has to answer the first time (later ones get longer), and how often each is asked; zero or less: c-ares' own.
  std::chrono::milliseconds timeout = std::chrono::milliseconds::zero();
  int tries = 0;
  /// Whether /etc/hosts is looked at first.
  bool hosts_file = true;
};

/// A name service that asks DNS servers itself, by the library c-ares: for thousands of questions at once, which one thread
/// carries, and for the time that answers may be kept. In a library of its own: link weft::ares.
///
/// `system_names` is the usual choice: it answers what every other program of the machine gets, also from sources that
/// c-ares knows nothing of (mDNS, LDAP, containers).
///
///     weft::resolver names(weft::ares_names(), {.keep = 1h});     // an hour, or less if the server says so
///     weft::connect("example.org", 80, {.names = &names}, 5s);
///
/// Questions without a host go to `system_names`; services are numbers or names of /etc/services.
///
/// Errors    std::system_error with a resolve_errc: the configuration cannot be read, or lacks memory.
/// Threads   As every name_service. The thread is there while questions are, and ends a few seconds later.
/// Lifetime  May be destroyed while questions are on their way: they are answered.
/// Cost      Reads /etc/resolv.conf when it is made, and /etc/hosts at each question, on its thread.
std::shared_ptr<name_service> ares_names(const ares_names_options& options = {});

}  // namespace weft
