// SPDX-License-Identifier: MIT
// A small HTTP/1.1 server with one blocking thread per connection: GET and HEAD of "/", kept-alive connections.
//   thread_http [PORT]
#include <sys/socket.h>
#include <sys/types.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>

#include "thread_server.hpp"

namespace {

constexpr std::string_view page = "A page from a thread of its own.\n";
constexpr std::string_view end_of_head = "\r\n\r\n";
constexpr std::size_t longest_head = 16384;

struct request {
  std::string_view method;
  std::string_view target;
  bool http_1_0 = false;
  bool close = false;
  bool valid = false;
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

request parse(std::string_view head) {
  request result;
  const auto line_end = head.find("\r\n");
  const std::string_view line = head.substr(0, line_end);
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || last == first) return result;
  const std::string_view version = line.substr(last + 1);
  result.method = line.substr(0, first);
  result.target = line.substr(first + 1, last - first - 1);
  result.http_1_0 = version == "HTTP/1.0";
  const std::string fields = line_end == std::string_view::npos ? "" : lower(head.substr(line_end));
  const bool body = fields.find("\r\ncontent-length:") != std::string::npos ||
                    fields.find("\r\ntransfer-encoding:") != std::string::npos;
  // A body would have to be read past: this server takes requests without one.
  result.valid = (version == "HTTP/1.1" || result.http_1_0) && !body;
  result.close = result.http_1_0 || fields.find("\r\nconnection: close") != std::string::npos;
  return result;
}

bool answer(int socket, std::string_view status, std::string_view body, bool head_only, bool close) {
  char head[256];
  const int length =
      std::snprintf(head, sizeof head, "HTTP/1.1 %.*s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n%s\r\n",
                    static_cast<int>(status.size()), status.data(), body.size(), close ? "Connection: close\r\n" : "");
  std::string whole(head, static_cast<std::size_t>(length));
  if (!head_only) whole += body;
  return example::send_all(socket, whole.data(), whole.size()) && !close;
}

// Answers one request; false when the connection is to end.
bool respond(int socket, std::string_view head) {
  const request asked = parse(head);
  const bool head_only = asked.method == "HEAD";
  if (!asked.valid) return answer(socket, "400 Bad Request", "bad request\n", false, true);
  if (asked.method != "GET" && !head_only) {
    return answer(socket, "405 Method Not Allowed", "GET or HEAD\n", false, asked.close);
  }
  if (asked.target != "/") return answer(socket, "404 Not Found", "not found\n", head_only, asked.close);
  return answer(socket, "200 OK", page, head_only, asked.close);
}

void converse(int socket) {
  std::string pending;
  char buffer[1024];
  for (;;) {
    const auto end = pending.find(end_of_head);
    if (end != std::string::npos) {
      if (!respond(socket, std::string_view(pending).substr(0, end))) return;
      pending.erase(0, end + end_of_head.size());
      continue;
    }
    if (pending.size() > longest_head) {
      answer(socket, "431 Request Header Fields Too Large", "too large\n", false, true);
      return;
    }
    const ssize_t received = recv(socket, buffer, sizeof buffer, 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) return;
    pending.append(buffer, static_cast<std::size_t>(received));
  }
}

}  // namespace

int main(int argc, char** argv) { return example::serve(example::port_argument(argc, argv), converse); }
