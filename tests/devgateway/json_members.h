// SPDX-License-Identifier: Apache-2.0
// Reading members of JSON that may not have them. Pure.
#pragma once

#include <string>

#include "base/json.h"

namespace hostclaw::devgateway {

// The string member, or `fallback` when it is absent or of another type.
inline std::string string_at(const Json& object, const char* name, const char* fallback = "") {
  if (!object.is_object()) return fallback;
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string(fallback);
}

}  // namespace hostclaw::devgateway
