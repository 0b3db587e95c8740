#include "base/json.h"

namespace hostclaw {
namespace {

// Scans nesting outside strings before the library builds a tree, so that depth costs one pass and no memory.
bool exceeds_depth(std::string_view text, std::size_t max_depth) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > max_depth) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

template <class Value>
Result<Value> parse(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return make_error("JSON_TOO_LARGE", "JSON text of " + std::to_string(text.size()) +
                                            " bytes is over the limit of " +
                                            std::to_string(limits.max_bytes));
  }
  if (exceeds_depth(text, limits.max_depth)) {
    return make_error("JSON_TOO_DEEP",
                      "JSON text nests deeper than " + std::to_string(limits.max_depth) + " levels");
  }
  try {
    return Value::parse(text.begin(), text.end());
  } catch (const nlohmann::json::parse_error& error) {
    return make_error("JSON_MALFORMED", "not valid JSON near byte " + std::to_string(error.byte));
  } catch (const nlohmann::json::exception&) {
    return make_error("JSON_MALFORMED", "not valid JSON: a number is out of range");
  }
}

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) { return parse<Json>(text, limits); }

Result<OrderedJson> parse_ordered_json(std::string_view text, const JsonLimits& limits) {
  return parse<OrderedJson>(text, limits);
}

std::string dump_json(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string dump_json(const OrderedJson& value) {
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace hostclaw
