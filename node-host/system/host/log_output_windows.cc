// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/host/log_output.h"

#include "base/file_names.h"

namespace hostclaw::node_host {

std::FILE* open_log_file(const std::string& path) { return open_file(path, "ab"); }

std::size_t write_to_standard_error(std::string_view text, bool /*may_wait_a_moment*/) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  // The C library keeps 4 KiB of what is no console, a pipe or a file, to itself.
  std::fflush(stderr);
  return text.size();
}

}  // namespace hostclaw::node_host
