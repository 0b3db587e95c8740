#include "node-host/system/private_file.h"

#include "node-host/system/windows_text.h"

namespace hostclaw::node_host {

std::FILE* open_private_file(const std::string& path) {
  const auto wide = to_wide(path);
  return wide ? ::_wfopen(wide->c_str(), L"ab") : nullptr;
}

}  // namespace hostclaw::node_host
