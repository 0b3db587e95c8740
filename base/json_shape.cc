// SPDX-License-Identifier: Apache-2.0
#include "base/json_shape.h"

namespace hostclaw {

bool holds_more_values_than(std::string_view json, std::size_t most) {
  std::size_t values = 1;
  return any_outside_strings(json,
                             [&](char c) { return (c == '[' || c == '{' || c == ',') && ++values > most; });
}

}  // namespace hostclaw
