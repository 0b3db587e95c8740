// SPDX-License-Identifier: Apache-2.0
// What programs write, where the system has programs that do not write UTF-8. Safe from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hostclaw::node_host {

// The text as UTF-8 when the bytes are not text in UTF-8 but wholly make sense in an encoding that programs
// of this system use; `cut`: the end is missing. Windows: UTF-16 by its byte order mark or because most of it
// is ASCII (also when it is UTF-8 with zero bytes in it, as `wsl -l -v` writes), else the OEM code page of
// the system, whatever this process or its console have. Elsewhere there is no such encoding.
std::optional<std::string> text_of_other_encoding(std::string_view bytes, bool cut);

}  // namespace hostclaw::node_host
