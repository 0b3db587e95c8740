// SPDX-License-Identifier: Apache-2.0
// Which paths mean what they say on Windows. Safe from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hostclaw::node_host {

// The path in the form that the system takes as it stands (`\\?\C:\dir\file`, `\\?\UNC\server\share\file`),
// `/`, `.` and `..` worked out. nullopt for a path that is not absolute or that names something else than it
// seems to: see OpenedFiles.
std::optional<std::wstring> verbatim_path(std::string_view path);

// `\\?\` taken away again.
std::wstring without_prefix(std::wstring_view path);

}  // namespace hostclaw::node_host
