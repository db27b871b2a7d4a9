// SPDX-License-Identifier: MIT
// docs/tutorial.md: files, processes, signals.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

// [file]
void files(const std::string& path) {
  weft::file notes = weft::file::open(path, O_RDWR | O_CREAT | O_TRUNC);
  notes.write_at("warp\nweft\n", 0);  // other fibers run while the disk works
  notes.sync_data();

  weft::file_stream lines(std::move(notes));  // from one end to the other
  std::string buffer;
  std::error_code end;
  while (const std::size_t length = lines.read_until(buffer, "\n", 4096, end)) {
    std::printf("a line of %zu: %s", length, buffer.substr(0, length).c_str());
    buffer.erase(0, length);
  }
}
// [end file]

// [process]
void processes() {
  std::fputs(weft::check_output({"tr", "a-z", "A-Z"}, "in other letters\n", 10s).c_str(), stdout);

  weft::process slow({"sleep", "3600"}, {.out = weft::stdio::null()});
  if (!slow.wait(1ms)) slow.terminate();
  const weft::exit_status how = slow.wait();
  std::printf("ended by signal %d\n", how.signal());
}
// [end process]

// [signal]
void signals() {
  weft::signal_stream hangups({SIGHUP});  // from here on it does not end the program
  const weft::task<> sender = weft::spawn([] { ::kill(::getpid(), SIGHUP); });
  if (const auto signal = hangups.receive(10s)) std::printf("signal %d came\n", signal->si_signo);
}
// [end signal]

}  // namespace

int main() {
  const std::string path = "/tmp/weft-tutorial-" + std::to_string(::getpid());
  files(path);
  ::unlink(path.c_str());
  processes();
  signals();
}
