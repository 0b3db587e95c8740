// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/text/windows_text.h"

#include "base/utf8.h"

namespace hostclaw::node_host {

std::optional<std::wstring> exact_wide(std::string_view text) {
  if (!is_valid_utf8(text)) return std::nullopt;
  return to_wide(text);
}

}  // namespace hostclaw::node_host
