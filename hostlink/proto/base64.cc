// SPDX-License-Identifier: Apache-2.0
#include "hostlink/proto/base64.h"

#include <array>
#include <cstdint>

namespace hostclaw::hostlink {
namespace {

constexpr std::string_view kBase64Alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNoBase64 = 0xFF;

constexpr std::array<std::uint8_t, 256> kBase64Values = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNoBase64);
  for (std::size_t i = 0; i < kBase64Alphabet.size(); ++i)
    values[static_cast<unsigned char>(kBase64Alphabet[i])] = static_cast<std::uint8_t>(i);
  return values;
}();

std::uint32_t base64_value(char c) { return kBase64Values[static_cast<unsigned char>(c)]; }

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string out(base64_size(bytes.size()), '=');
  const auto at = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i]));
  };
  char* to = out.data();
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3, to += 4) {
    const std::uint32_t three = at(i) << 16U | at(i + 1) << 8U | at(i + 2);
    to[0] = kBase64Alphabet[three >> 18U];
    to[1] = kBase64Alphabet[three >> 12U & 63U];
    to[2] = kBase64Alphabet[three >> 6U & 63U];
    to[3] = kBase64Alphabet[three & 63U];
  }
  const std::size_t left = bytes.size() - i;
  if (left == 0) return out;
  const std::uint32_t last = at(i) << 16U | (left == 2 ? at(i + 1) << 8U : 0U);
  to[0] = kBase64Alphabet[last >> 18U];
  to[1] = kBase64Alphabet[last >> 12U & 63U];
  if (left == 2) to[2] = kBase64Alphabet[last >> 6U & 63U];
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  if (text.empty()) return std::string();
  std::size_t padding = 0;
  while (padding < 2 && text[text.size() - 1 - padding] == '=') ++padding;
  const std::size_t digits = text.size() - padding;
  std::string out(text.size() / 4 * 3 - padding, '\0');
  char* to = out.data();
  std::size_t i = 0;
  for (; i + 4 <= digits; i += 4, to += 3) {
    const std::uint32_t a = base64_value(text[i]), b = base64_value(text[i + 1]),
                        c = base64_value(text[i + 2]), d = base64_value(text[i + 3]);
    if ((a | b | c | d) > 63U) return std::nullopt;
    const std::uint32_t three = a << 18U | b << 12U | c << 6U | d;
    to[0] = static_cast<char>(three >> 16U);
    to[1] = static_cast<char>(three >> 8U & 0xFFU);
    to[2] = static_cast<char>(three & 0xFFU);
  }
  if (i == digits) return out;
  const std::uint32_t a = base64_value(text[i]), b = base64_value(text[i + 1]);
  const std::uint32_t c = digits - i == 3 ? base64_value(text[i + 2]) : 0U;
  if ((a | b | c) > 63U) return std::nullopt;
  const std::uint32_t three = a << 18U | b << 12U | c << 6U;
  to[0] = static_cast<char>(three >> 16U);
  if (digits - i == 3) to[1] = static_cast<char>(three >> 8U & 0xFFU);
  return out;
}

}  // namespace hostclaw::hostlink
