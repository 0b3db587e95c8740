// SPDX-License-Identifier: Apache-2.0
// Members of JSON objects, read as HostLink's peers do: one of a wrong kind counts as absent. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"

namespace hostclaw::hostlink {

// Moved out of the object, not copied: the content of a file may be in it.
std::optional<std::string> take_text_member(Json& object, const char* name);
std::string text_member(const Json& object, const char* name);  // "" when absent
// Fractions are cut off; what is beyond a 64-bit integer becomes its nearest one.
std::optional<std::int64_t> integer_member(const Json& object, const char* name);
bool true_member(const Json& object, const char* name);

}  // namespace hostclaw::hostlink
