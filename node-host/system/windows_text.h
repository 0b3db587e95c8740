// Between UTF-8, which this program speaks, and UTF-16, which the system speaks. Safe from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hostclaw::node_host {

// nullopt when the text is not well-formed UTF-8.
std::optional<std::wstring> to_wide(std::string_view text);
// A lone surrogate, which names of files may hold, becomes U+FFFD: such a name cannot be used here.
std::string from_wide(std::wstring_view text);

}  // namespace hostclaw::node_host
