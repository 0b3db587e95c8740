// SPDX-License-Identifier: Apache-2.0
// UTF-16 for what must reach another program exactly. Safe from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/wide_text.h"

namespace hostclaw::node_host {

// nullopt when the text is not well-formed UTF-8: it would become another one.
std::optional<std::wstring> exact_wide(std::string_view text);

}  // namespace hostclaw::node_host
