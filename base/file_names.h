// SPDX-License-Identifier: Apache-2.0
// Names of files and of environment variables, UTF-8 everywhere in this program. On POSIX the bytes are the
// system's own; on Windows they are converted at this door, for its narrow functions read them in whatever
// code page is set. Safe from any thread; environment_variable() must not run beside a setenv().
#pragma once

#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace hostclaw {

// Whether a plain path (absolute, no `..`, no slash at its end) is the directory `root` or lies in it.
inline bool lies_beneath(std::string_view path, std::string_view root) {
  if (root == "/") return path.starts_with('/');
  return path == root || (path.starts_with(root) && path[root.size()] == '/');
}

std::filesystem::path to_path(std::string_view text);
// With `/` between the parts.
std::string to_text(const std::filesystem::path& path);

// nullopt when it is not set.
std::optional<std::string> environment_variable(const char* name);

// As std::fopen(); on Windows the file may be renamed and removed while it is open, as on POSIX.
std::FILE* open_file(const std::string& path, const char* mode);

}  // namespace hostclaw
