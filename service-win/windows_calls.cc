// SPDX-License-Identifier: Apache-2.0
#include "service-win/windows_calls.h"

#include "base/text.h"
#include "base/wide_text.h"

namespace hostclaw::service_win {

std::string text_of_problem(DWORD problem) {
  wchar_t* text = nullptr;
  const DWORD size = FormatMessageW(
      FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr,
      problem, 0, reinterpret_cast<wchar_t*>(&text), 0, nullptr);
  const LocalMemory<wchar_t> owned(text);
  std::string said = size == 0 ? std::string() : std::string(trim(from_wide({text, size})));
  for (char& c : said) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  return (said.empty() ? "Windows error" : said) + " (" + std::to_string(problem) + ")";
}

Error service_error(DWORD problem, const std::string& what, const std::string& next) {
  const bool denied = problem == ERROR_ACCESS_DENIED || problem == ERROR_PRIVILEGE_NOT_HELD;
  return make_error(denied ? "SERVICE_PERMISSIONS" : "SERVICE_FAILED", what + ": " + text_of_problem(problem),
                    next);
}

std::string registry_text(HKEY root, const std::string& key, const std::string& name) {
  DWORD bytes = 0;
  const std::wstring wide_key = to_wide(key);
  const std::wstring wide_name = to_wide(name);
  constexpr DWORD kText = RRF_RT_REG_SZ | RRF_RT_REG_EXPAND_SZ | RRF_NOEXPAND;
  if (RegGetValueW(root, wide_key.c_str(), wide_name.c_str(), kText, nullptr, nullptr, &bytes) !=
      ERROR_SUCCESS)
    return {};
  std::wstring value(bytes / sizeof(wchar_t) + 1, L'\0');
  bytes = static_cast<DWORD>(value.size() * sizeof(wchar_t));
  if (RegGetValueW(root, wide_key.c_str(), wide_name.c_str(), kText, nullptr, value.data(), &bytes) !=
      ERROR_SUCCESS)
    return {};
  return from_wide(value.c_str());
}

}  // namespace hostclaw::service_win
