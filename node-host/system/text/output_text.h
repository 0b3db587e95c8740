// SPDX-License-Identifier: Apache-2.0
// What programs write, where the system has programs that do not write UTF-8. Safe from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hostclaw::node_host {

// The text as UTF-8 when the bytes are not UTF-8 but wholly make sense in an encoding that programs of this
// system use; `cut`: the end is missing. Windows: UTF-16 by its byte order mark or because most of it is
// ASCII, else the code page of the console. Elsewhere there is no such encoding.
std::optional<std::string> text_of_other_encoding(std::string_view bytes, bool cut);

}  // namespace hostclaw::node_host
