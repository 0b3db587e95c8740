// A file for this account alone. Safe from any thread.
#pragma once

#include <cstdio>
#include <string>

namespace hostclaw::node_host {

// Opens for appending and makes the file when it is missing, readable and writable by its owner only
// (Windows: as its directory says). nullptr when that is not possible.
std::FILE* open_private_file(const std::string& path);

}  // namespace hostclaw::node_host
