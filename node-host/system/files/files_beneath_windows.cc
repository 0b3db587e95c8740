// SPDX-License-Identifier: Apache-2.0
// Files of callers are not served on Windows: what keeps a path beneath a directory there has not been built.
#include "node-host/system/files/files_beneath.h"

namespace hostclaw::node_host {
namespace {

Error unsupported() {
  return make_error("FILE_UNSUPPORTED", "this host does not serve files: it runs Windows");
}

}  // namespace

Result<FoundFile> find_beneath(const std::vector<std::string>&, const std::string&) { return unsupported(); }
Result<UniqueFd> open_found(const FoundFile&) { return unsupported(); }
Result<std::size_t> read_some(NativeHandle, char*, std::size_t) { return unsupported(); }
Result<ReplacementFile> ReplacementFile::begin(const FoundFile&, std::optional<std::uint32_t>, bool) {
  return unsupported();
}
ReplacementFile::~ReplacementFile() = default;
Result<void> ReplacementFile::write(std::string_view) { return unsupported(); }
Result<void> ReplacementFile::put_in_place() { return unsupported(); }
Result<Listing> list_beneath(const FoundFile&, std::size_t) { return unsupported(); }
Result<FreeSpace> free_space(const FoundFile&) { return unsupported(); }

}  // namespace hostclaw::node_host
