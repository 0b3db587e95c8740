// SPDX-License-Identifier: Apache-2.0
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

// The text as a JSON string, in its quotes.
std::string json_string(std::string_view text);

// Where the text of an object stands: by itself, or in a JSON string, as OpenClaw's `paramsJSON` and
// `payloadJSON` want it. In the second form every quote and escape is escaped once more, in the same pass.
enum class JsonPlace { kItself, kInString };

// The text of a JSON object, member by member and without a tree: for what is large, or sent with every call.
// Texts as dump_json writes them. Requires: no name twice.
class JsonObjectText {
 public:
  explicit JsonObjectText(JsonPlace place = JsonPlace::kItself) : place_(place) {}
  JsonObjectText& add(std::string_view name, std::string_view text);
  JsonObjectText& add(std::string_view name, const char* text) { return add(name, std::string_view(text)); }
  JsonObjectText& add(std::string_view name, bool value) { return add_json(name, value ? "true" : "false"); }
  JsonObjectText& add(std::string_view name, std::int64_t value);
  JsonObjectText& add(std::string_view name, JsonObjectText object);       // requires: of the same place
  JsonObjectText& add_json(std::string_view name, std::string_view json);  // as it stands
  // Once: the object, or for kInString the string that holds it.
  std::string take();
  std::string take_string();

 private:
  void begin(std::string_view name);
  void write(std::string_view text);
  JsonPlace place_;
  std::string text_;
};

}  // namespace hostclaw
