// SPDX-License-Identifier: MIT
#include <stop_token>
#include <string_view>

#include "weft/datagram_server.hpp"
#include "weft/stream_server.hpp"

void mistakes(const weft::address& at) {
  weft::stream_server streams(at, [](std::stop_token, weft::stream_socket, const weft::address&) {});
  weft::datagram_server messages(at, [](std::string_view, const weft::address&) {});
#ifdef MISTAKES
  weft::stream_server number(at, [](int) {});                                         // error: a handler takes
  weft::stream_server turned_round(at, [](weft::stream_socket, std::stop_token) {});  // error: a handler takes
  weft::datagram_server no_sender(at, [](std::string_view) {});                       // error: no matching
  weft::datagram_server token_last(
      at, [](std::string_view, const weft::address&, std::stop_token) {});  // error: no matching
  weft::stream_server copy = streams;                                       // error: deleted
  weft::datagram_server another = messages;                                 // error: deleted
  weft::basic_server neither;                                               // error: no matching
#endif
}
