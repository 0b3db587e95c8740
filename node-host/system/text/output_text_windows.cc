// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/text/output_text.h"

#include <windows.h>

#include <cstdint>
#include <cwchar>

#include "base/utf8.h"
#include "node-host/system/text/code_page_windows.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {
namespace {

bool is_utf8(std::string_view bytes, bool cut) {
  if (is_valid_utf8(bytes)) return true;
  if (!cut) return false;
  // The cut may have gone through a character.
  for (std::size_t less = 1; less <= 3 && less < bytes.size(); ++less)
    if (is_valid_utf8(bytes.substr(0, bytes.size() - less))) return true;
  return false;
}

std::wstring units_of(std::string_view bytes, bool big_endian) {
  std::wstring text;
  text.reserve(bytes.size() / 2);
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    const auto first = static_cast<std::uint8_t>(bytes[i]);
    const auto second = static_cast<std::uint8_t>(bytes[i + 1]);
    text += static_cast<wchar_t>(big_endian ? first << 8 | second : second << 8 | first);
  }
  return text;
}

bool well_formed(std::wstring_view text, bool cut) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] < 0xD800 || text[i] > 0xDFFF) continue;
    if (text[i] > 0xDBFF) return false;
    if (i + 1 == text.size()) return cut;
    if (text[i + 1] < 0xDC00 || text[i + 1] > 0xDFFF) return false;
    ++i;
  }
  return true;
}

std::optional<std::string> from_utf16(std::string_view bytes, bool cut) {
  if (bytes.size() < 2 || (bytes.size() % 2 != 0 && !cut)) return std::nullopt;
  const auto first = static_cast<std::uint8_t>(bytes[0]);
  const auto second = static_cast<std::uint8_t>(bytes[1]);
  const bool little = first == 0xFF && second == 0xFE;
  const bool big = first == 0xFE && second == 0xFF;
  if (little || big) bytes.remove_prefix(2);
  std::wstring text = units_of(bytes, big);
  if (!little && !big) {
    // Most of what programs say is ASCII, and text holds no NUL.
    std::size_t ascii = 0;
    for (const wchar_t unit : text) {
      if (unit == 0) return std::nullopt;
      if (unit < 0x80) ++ascii;
    }
    if (text.size() < 2 || ascii * 2 < text.size()) return std::nullopt;
  }
  if (!well_formed(text, cut)) return std::nullopt;
  if (cut && !text.empty() && text.back() >= 0xD800 && text.back() <= 0xDBFF) text.pop_back();
  return from_wide(text);
}

// Valid UTF-8 with a zero byte behind most characters: text holds no NUL, UTF-16 of ASCII does. A list that
// is separated by NUL (`git ls-files -z`) looks so only when nearly all of its items have one character.
bool looks_like_utf16(std::string_view bytes) {
  std::size_t zeros_behind = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != '\0') continue;
    if (i % 2 == 0) return false;
    ++zeros_behind;
  }
  return bytes.size() >= 4 && zeros_behind * 4 >= bytes.size();
}

}  // namespace

unsigned int system_oem_code_page() {
  static const unsigned int page = [] {
    wchar_t digits[16] = {};
    DWORD size = sizeof digits;
    unsigned long read = 0;
    if (::RegGetValueW(HKEY_LOCAL_MACHINE, L"SYSTEM\\CurrentControlSet\\Control\\Nls\\CodePage", L"OEMCP",
                       RRF_RT_REG_SZ, nullptr, digits, &size) == ERROR_SUCCESS)
      read = std::wcstoul(digits, nullptr, 10);
    return read != 0 && ::IsValidCodePage(read) != 0 ? static_cast<unsigned int>(read) : ::GetOEMCP();
  }();
  return page;
}

std::optional<std::string> text_from_code_page(unsigned int page, std::string_view bytes, bool cut) {
  if (page == CP_UTF8 || page == CP_UTF7) return std::nullopt;
  // A character of two bytes may have been cut through.
  for (std::size_t less = 0; less <= (cut ? 1U : 0U) && less < bytes.size(); ++less) {
    const auto size = static_cast<int>(bytes.size() - less);
    const int units = ::MultiByteToWideChar(page, MB_ERR_INVALID_CHARS, bytes.data(), size, nullptr, 0);
    if (units <= 0) continue;
    std::wstring text(static_cast<std::size_t>(units), L'\0');
    ::MultiByteToWideChar(page, MB_ERR_INVALID_CHARS, bytes.data(), size, text.data(), units);
    return from_wide(text);
  }
  return std::nullopt;
}

std::optional<std::string> text_of_other_encoding(std::string_view bytes, bool cut) {
  if (is_utf8(bytes, cut))
    return looks_like_utf16(bytes) ? from_utf16(bytes, cut) : std::optional<std::string>();
  if (auto text = from_utf16(bytes, cut)) return text;
  return text_from_code_page(system_oem_code_page(), bytes, cut);
}

}  // namespace hostclaw::node_host
