// SPDX-License-Identifier: Apache-2.0
#include "base/file_names.h"

#include <cstdlib>

namespace hostclaw {

std::filesystem::path to_path(std::string_view text) { return std::filesystem::path(text); }

std::string to_text(const std::filesystem::path& path) { return path.native(); }

std::optional<std::string> environment_variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return value;
}

std::FILE* open_file(const std::string& path, const char* mode) { return std::fopen(path.c_str(), mode); }

}  // namespace hostclaw
