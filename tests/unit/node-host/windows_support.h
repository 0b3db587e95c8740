// SPDX-License-Identifier: Apache-2.0
// What the tests of Windows share.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "node-host/system/files/windows_handle.h"

namespace hostclaw::node_host {

std::string test_child();  // the real path of the test program

// Its path is the real one. Goes away with what is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "\\" + name; }
  std::string write(const std::string& name, std::string_view text) const;
  std::string make_directory(const std::string& name) const;
  std::string copy_of_test_child(const std::string& name) const;

 private:
  std::string path_;
};

std::string read_file(const std::string& path);
std::wstring wide(const std::string& text);

// As any other program would; none when Windows refuses, and GetLastError() says why.
UniqueFd open_for_writing(const std::string& path);
bool remove_file(const std::string& path);
bool rename_file(const std::string& from, const std::string& to);

// An event that children name to say that they have come as far as the test wants.
class Signal {
 public:
  Signal();
  const std::string& name() const { return name_; }
  HANDLE handle() const { return as_handle(event_.get()); }
  bool is_set() const;
  // Within 20 seconds.
  bool wait() const;

 private:
  std::string name_;
  UniqueFd event_;
};

// A process that still exists can be opened; whether it runs is another question.
UniqueFd open_process(std::int64_t pid);
bool has_ended(const UniqueFd& process);

}  // namespace hostclaw::node_host
