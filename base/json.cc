// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "base/json_shape.h"
#include "base/utf8.h"

namespace hostclaw {
namespace {

// Scans nesting outside strings before the library builds a tree, so that depth costs one pass and no memory.
bool exceeds_depth(std::string_view text, std::size_t max_depth) {
  std::size_t depth = 0;
  return any_outside_strings(text, [&](char c) {
    if (c == '[' || c == '{') return ++depth > max_depth;
    if ((c == ']' || c == '}') && depth > 0) --depth;
    return false;
  });
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
// escaped. Ours looks at eight bytes at a time. Everything else is as the library writes it.

// By byte: how it is written. 0: as it is; 'u': as \u00XX; else the letter behind a backslash.
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> escapes{};
  for (std::size_t control = 0; control < 0x20; ++control) escapes[control] = 'u';
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  escapes['\b'] = 'b';
  escapes['\f'] = 'f';
  escapes['\n'] = 'n';
  escapes['\r'] = 'r';
  escapes['\t'] = 't';
  return escapes;
}();

// How many of these eight bytes come before the first that is written in another way than it is; 8: all.
std::size_t plain_bytes(const char* eight) {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  constexpr std::uint64_t kHigh = 0x8080808080808080U;
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, eight, sizeof bytes);
  const std::uint64_t quotes = bytes ^ kOnes * '"';
  const std::uint64_t backslashes = bytes ^ kOnes * '\\';
  // A borrow may mark bytes behind the first, never before it.
  const std::uint64_t found = (((bytes - kOnes * 0x20) & ~bytes) | ((quotes - kOnes) & ~quotes) |
                               ((backslashes - kOnes) & ~backslashes)) &
                              kHigh;
  return static_cast<std::size_t>(std::countr_zero(found)) / 8;
}

constexpr std::size_t kLongestEscape = 7;
constexpr std::size_t kWordBytes = 8;

template <JsonPlace kPlace>
char* write_char(char c, char* to) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const char escape = kEscapes[static_cast<unsigned char>(c)];
  if (escape == 0) {
    *to++ = c;
    return to;
  }
  *to++ = '\\';
  if constexpr (kPlace == JsonPlace::kInString) {
    *to++ = '\\';
    if (escape == '"' || escape == '\\') *to++ = '\\';
  }
  *to++ = escape;
  if (escape != 'u') return to;
  *to++ = '0';
  *to++ = '0';
  *to++ = kHex[static_cast<unsigned char>(c) >> 4];
  *to++ = kHex[static_cast<unsigned char>(c) & 0xF];
  return to;
}

// Requires: room for kLongestEscape bytes for each of the text, and kWordBytes more. Answers the end.
template <JsonPlace kPlace>
char* write_chars(std::string_view text, char* to) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (static_cast<std::size_t>(end - at) >= kWordBytes) {
    std::memcpy(to, at, kWordBytes);
    const std::size_t plain = plain_bytes(at);
    at += plain;
    to += plain;
    if (plain < kWordBytes) to = write_char<kPlace>(*at++, to);
  }
  while (at != end) to = write_char<kPlace>(*at++, to);
  return to;
}

template <JsonPlace kPlace>
void write_text(std::string_view text, std::string& out) {
  if (!is_valid_utf8(text)) return write_text<kPlace>(to_valid_utf8(text), out);
  constexpr std::string_view kQuote = kPlace == JsonPlace::kInString ? "\\\"" : "\"";
  constexpr std::size_t kAtOnce = 512;
  constexpr std::size_t kMostRoom = kAtOnce * kLongestEscape + kWordBytes;
  if (text.size() > kAtOnce) out.reserve(out.size() + text.size() + text.size() / 8 + kMostRoom);
  out += kQuote;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, kAtOnce);
    text.remove_prefix(part.size());
    const std::size_t before = out.size();
    out.resize(before + part.size() * kLongestEscape + kWordBytes);
    out.resize(static_cast<std::size_t>(write_chars<kPlace>(part, out.data() + before) - out.data()));
  }
  out += kQuote;
}

void write_string(std::string_view text, std::string& out) { write_text<JsonPlace::kItself>(text, out); }

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

void JsonObjectText::begin(std::string_view name) {
  text_ += text_.empty() ? '{' : ',';
  write(name);
  text_ += ':';
}

void JsonObjectText::write(std::string_view text) {
  if (place_ == JsonPlace::kInString) {
    write_text<JsonPlace::kInString>(text, text_);
  } else {
    write_text<JsonPlace::kItself>(text, text_);
  }
}

JsonObjectText& JsonObjectText::add(std::string_view name, std::string_view text) {
  begin(name);
  write(text);
  return *this;
}

JsonObjectText& JsonObjectText::add(std::string_view name, std::int64_t value) {
  begin(name);
  write_integer(value, text_);
  return *this;
}

JsonObjectText& JsonObjectText::add_json(std::string_view name, std::string_view json) {
  begin(name);
  text_ += json;
  return *this;
}

JsonObjectText& JsonObjectText::add(std::string_view name, JsonObjectText object) {
  return add_json(name, object.take());
}

std::string JsonObjectText::take() {
  text_ += text_.empty() ? "{}" : "}";
  return std::move(text_);
}

std::string JsonObjectText::take_string() { return '"' + take() + '"'; }

std::string json_string(std::string_view text) {
  std::string out;
  write_string(text, out);
  return out;
}

}  // namespace hostclaw
