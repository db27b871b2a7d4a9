// SPDX-License-Identifier: MIT
#include "shim/cli/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weft::shim::cli {

mapped_file::mapped_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return;
  struct stat status;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    void* const at = mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
    if (at != MAP_FAILED) bytes_ = {static_cast<const char*>(at), static_cast<std::size_t>(status.st_size)};
  }
  close(fd);
}

mapped_file::~mapped_file() {
  if (!bytes_.empty()) munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

std::string_view mapped_file::bytes(std::uint64_t offset, std::uint64_t size) const {
  if (offset > bytes_.size() || size > bytes_.size() - offset) return {};
  return bytes_.substr(offset, size);
}

std::string mapped_file::text(std::uint64_t table, std::uint64_t table_size, std::uint64_t offset) const {
  const std::string_view whole = bytes(table, table_size);
  if (offset >= whole.size()) return {};
  const std::string_view rest = whole.substr(offset);
  return std::string(rest.substr(0, rest.find('\0')));
}

}  // namespace weft::shim::cli
