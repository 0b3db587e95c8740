#include "node-host/system/private_file.h"

#include <filesystem>

namespace hostclaw::node_host {

// The C library has no mode for fopen().
std::FILE* open_private_file(const std::string& path) {
  std::FILE* stream = std::fopen(path.c_str(), "ab");
  if (stream == nullptr) return nullptr;
  std::error_code failed;
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write,
                               failed);
  return stream;
}

}  // namespace hostclaw::node_host
