// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "tests/support/corpus_file_probe.h"

namespace hostclaw::test {

CorpusFileProbe::Node CorpusFileProbe::look_on_disk(const std::string& path) {
  struct stat status {};
  Node node;
  if (path.find('\0') != std::string::npos || ::lstat(path.c_str(), &status) != 0) return node;
  node.on_disk = true;
  node.owner = status.st_uid;
  node.inode = status.st_ino;
  node.size = static_cast<std::uint64_t>(status.st_size);
  node.executable = (status.st_mode & 0111) != 0;
  node.writable_by_others = (status.st_mode & 0022) != 0;
  if (S_ISLNK(status.st_mode)) {
    std::array<char, 4096> buffer{};
    const ssize_t length = ::readlink(path.c_str(), buffer.data(), buffer.size());
    node.kind = Kind::kSymlink;
    node.text.assign(buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  } else {
    node.kind = S_ISDIR(status.st_mode) ? Kind::kDirectory : Kind::kFile;
  }
  return node;
}

std::vector<std::string> CorpusFileProbe::names_on_disk(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error))
    names.push_back(entry.path().filename().string());
  return names;
}

}  // namespace hostclaw::test
