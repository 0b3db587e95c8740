// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/text/output_text.h"

namespace hostclaw::node_host {

std::optional<std::string> text_of_other_encoding(std::string_view, bool) { return std::nullopt; }

}  // namespace hostclaw::node_host
