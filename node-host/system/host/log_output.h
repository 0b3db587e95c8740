// SPDX-License-Identifier: Apache-2.0
// Where log lines go: a private file, or standard error without ever waiting for whoever reads it.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace hostclaw::node_host {

// Opens `path` for appending; a new file has mode 0600 from its first moment, an older one gets it (Windows:
// as its directory says). nullptr with errno set when it cannot be.
std::FILE* open_log_file(const std::string& path);

// Writes what it takes without waiting for longer than a moment (or not at all) and answers how many bytes
// that were; less than all when nobody reads. What nobody can ever read counts as written. Windows: waits.
// Requires: one thread at a time.
std::size_t write_to_standard_error(std::string_view text, bool may_wait_a_moment);

}  // namespace hostclaw::node_host
