// SPDX-License-Identifier: Apache-2.0
// What JSON text will cost, seen before a tree is built of it. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace hostclaw {

// Shows each byte outside of strings to `see`, quotes left out, until it answers true: then this does. One
// pass and no memory; text that is not JSON is read all the same.
template <class See>
bool any_outside_strings(std::string_view json, See see) {
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (see(c)) {
      return true;
    }
  }
  return false;
}

// Whether the text holds more than `most` members and elements altogether: a tree costs forty times the text
// of `[0,0,...`.
bool holds_more_values_than(std::string_view json, std::size_t most);

}  // namespace hostclaw
