// SPDX-License-Identifier: MIT
// A hundred downloads by libcurl at once, on one OS thread. libcurl knows nothing of Weft and blocks its thread in each; here the
// program has patched its libc, and a "thread" is a fiber. So is the thread that libcurl makes for each name it looks up.
//     patched [URL...]
// Without an argument it asks a server of its own, which answers nobody before all have asked.
#include <curl/curl.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>
#include <weft/patch.hpp>
#include <weft/weft.hpp>

namespace {

std::size_t append(const char* data, std::size_t size, std::size_t count, void* to) {
  static_cast<std::string*>(to)->append(data, size * count);
  return size * count;
}

// As in any program with threads.
std::string fetch(const std::string& url) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (curl == nullptr) throw std::bad_alloc();
  std::string body;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 30L);
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) throw std::runtime_error(url + ": " + curl_easy_strerror(code));
  return body;
}

void fetch_all(const std::vector<std::string>& urls) {
  std::vector<weft::task<std::string>> pages;
  pages.reserve(urls.size());
  for (const std::string& url : urls) pages.push_back(weft::spawn({.name = "page"}, fetch, url));
  std::size_t bytes = 0;
  for (auto& page : pages) bytes += page.get().size();
  std::printf("%zu pages, %zu bytes\n", pages.size(), bytes);
}

void fetch_from_own_server() {
  constexpr int count = 100;
  weft::latch asked(count);
  weft::stream_server server(weft::address::loopback(AF_INET, 0), [&](weft::stream_socket s) {
    std::string request;
    (void)s.read_until(request, "\r\n\r\n", 4096);
    asked.arrive_and_wait();
    s.write_all("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nwoven\n");
  });
  server.start();
  const std::string at = "http://localhost:" + std::to_string(server.local_address().port()) + '/';
  fetch_all(std::vector<std::string>(count, at));
  server.stop();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    weft::patch::all();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (argc > 1) {
      fetch_all({argv + 1, argv + argc});
    } else {
      fetch_from_own_server();
    }
    curl_global_cleanup();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
