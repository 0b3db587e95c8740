// Bounded JSON parsing. Peers and files are not trusted: size and depth are limits of the call.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hostclaw {

using Json = nlohmann::json;
// Keeps the order of members; approvals documents are serialised in the order the sender used.
using OrderedJson = nlohmann::ordered_json;

struct JsonLimits {
  std::size_t max_bytes = 26'214'400;
  std::size_t max_depth = 64;  // nesting of arrays and objects
};

// Errors: JSON_TOO_LARGE, JSON_TOO_DEEP, JSON_MALFORMED (with the byte offset; never quotes the input).
// Text that is not UTF-8 is JSON_MALFORMED. A repeated member keeps its last value.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});
Result<OrderedJson> parse_ordered_json(std::string_view text, const JsonLimits& limits = {});

// Serialises; bytes that are not UTF-8 become U+FFFD, so this never throws.
std::string dump_json(const Json& value);
std::string dump_json(const OrderedJson& value);

}  // namespace hostclaw
