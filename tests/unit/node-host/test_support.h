// SPDX-License-Identifier: Apache-2.0
// What the tests of this folder share: a directory that goes away, and processes to look at.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace hostclaw::node_host {

inline std::string test_child() { return std::string(HOSTCLAW_BINARY_DIR) + "/test_child"; }

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hostclaw-test-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = std::filesystem::canonical(pattern).string();
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  std::string write(const std::string& name, const std::string& text, mode_t mode = 0644) const {
    const std::string path = *this / name;
    std::ofstream(path, std::ios::binary) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  std::string make_directory(const std::string& name, mode_t mode = 0755) const {
    const std::string path = *this / name;
    std::filesystem::create_directories(path);
    ::chmod(path.c_str(), mode);
    return path;
  }
  std::string link(const std::string& name, const std::string& target) const {
    const std::string path = *this / name;
    std::filesystem::create_symlink(target, path);
    return path;
  }

 private:
  std::string path_;
};

// False for a zombie.
inline bool is_alive(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return false;
  const auto name_end = text.rfind(')');
  return name_end != std::string::npos && text[name_end + 2] != 'Z' && text[name_end + 2] != 'X';
}

inline bool exists(std::int64_t pid) { return ::kill(static_cast<pid_t>(pid), 0) == 0; }

}  // namespace hostclaw::node_host
