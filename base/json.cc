#include "base/json.h"

#include <array>
#include <charconv>

#include "base/utf8.h"

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

// The library's serializer decodes every byte of a string; results carry up to 200 kB of them, twice
// escaped. Ours copies the runs between escapes. Everything else is as the library writes it.
bool needs_escape(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

void write_escaped(char c, std::string& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\b':
      out += "\\b";
      break;
    case '\f':
      out += "\\f";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 0xF];
  }
}

void write_string(std::string_view text, std::string& out) {
  if (!is_valid_utf8(text)) return write_string(to_valid_utf8(text), out);
  out += '"';
  std::size_t written = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!needs_escape(text[at])) continue;
    out.append(text, written, at - written);
    write_escaped(text[at], out);
    written = at + 1;
  }
  out.append(text, written);
  out += '"';
}

template <class Number>
void write_integer(Number number, std::string& out) {
  std::array<char, 24> digits{};
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

template <class Value>
void write(const Value& value, std::string& out) {
  switch (value.type()) {
    case Value::value_t::object: {
      char before = '{';
      for (const auto& [name, member] : value.template get_ref<const typename Value::object_t&>()) {
        out += before;
        before = ',';
        write_string(name, out);
        out += ':';
        write(member, out);
      }
      out += before == '{' ? "{}" : "}";
      break;
    }
    case Value::value_t::array: {
      char before = '[';
      for (const Value& element : value) {
        out += before;
        before = ',';
        write(element, out);
      }
      out += before == '[' ? "[]" : "]";
      break;
    }
    case Value::value_t::string:
      return write_string(value.template get_ref<const std::string&>(), out);
    case Value::value_t::number_integer:
      return write_integer(value.template get<std::int64_t>(), out);
    case Value::value_t::number_unsigned:
      return write_integer(value.template get<std::uint64_t>(), out);
    default:
      out += value.dump();
  }
}

template <class Value>
std::string dumped(const Value& value) {
  std::string out;
  write(value, out);
  return out;
}

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) { return parse<Json>(text, limits); }

Result<OrderedJson> parse_ordered_json(std::string_view text, const JsonLimits& limits) {
  return parse<OrderedJson>(text, limits);
}

std::string dump_json(const Json& value) { return dumped(value); }

std::string dump_json(const OrderedJson& value) { return dumped(value); }

}  // namespace hostclaw
