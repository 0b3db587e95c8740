// SPDX-License-Identifier: Apache-2.0
#include "approvals/platform/secret_protection.h"

#include <windows.h>

// After windows.h.
#include <dpapi.h>

#include <cstdint>
#include <memory>
#include <span>

#include "base/text.h"

namespace hostclaw::approvals {
namespace {

// Bound into the protection: the text of another program of this account does not pass for one of ours.
constexpr std::string_view kPurpose = "hostclaw secret v1";

// What the system hands out: wiped before it is freed.
struct WipeAndFree {
  DWORD size = 0;
  void operator()(BYTE* memory) const {
    SecureZeroMemory(memory, size);
    LocalFree(memory);
  }
};
using SystemMemory = std::unique_ptr<BYTE, WipeAndFree>;

DATA_BLOB blob_of(std::string_view bytes) {
  // The interface takes what it only reads as changeable.
  return {static_cast<DWORD>(bytes.size()), reinterpret_cast<BYTE*>(const_cast<char*>(bytes.data()))};
}

std::string system_said(DWORD problem) { return " (Windows error " + std::to_string(problem) + ")"; }

}  // namespace

Result<std::string> protect_secret(std::string_view secret, std::string_view name) {
  DATA_BLOB plain = blob_of(secret);
  DATA_BLOB purpose = blob_of(kPurpose);
  DATA_BLOB made{};
  if (CryptProtectData(&plain, nullptr, &purpose, nullptr, nullptr, CRYPTPROTECT_UI_FORBIDDEN, &made) == 0) {
    return make_error("SECRET_PROTECTION", "Windows cannot protect " + std::string(name) +
                                               " for this account" + system_said(GetLastError()));
  }
  const SystemMemory owned(made.pbData, WipeAndFree{made.cbData});
  return std::string(kProtectedByWindowsAccount) +
         to_base64url(std::span<const std::uint8_t>(made.pbData, made.cbData));
}

Result<std::string> unprotect_secret(std::string_view stored, std::string_view name) {
  if (!stored.starts_with(kProtectedPrefix)) return std::string(stored);
  if (!stored.starts_with(kProtectedByWindowsAccount)) {
    return make_error("SECRET_UNREADABLE",
                      std::string(name) + " was protected by a newer version of hostclaw");
  }
  const auto bytes = from_base64url(stored.substr(kProtectedByWindowsAccount.size()));
  if (!bytes) return make_error("SECRET_UNREADABLE", std::string(name) + " is damaged in the database");
  DATA_BLOB closed = blob_of({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
  DATA_BLOB purpose = blob_of(kPurpose);
  DATA_BLOB made{};
  if (CryptUnprotectData(&closed, nullptr, &purpose, nullptr, nullptr, CRYPTPROTECT_UI_FORBIDDEN, &made) ==
      0) {
    return make_error("SECRET_UNREADABLE",
                      std::string(name) + " was protected for another account or another machine" +
                          system_said(GetLastError()) + "; nothing was changed",
                      "run as the account that owns the state, or pair again with another state directory");
  }
  const SystemMemory owned(made.pbData, WipeAndFree{made.cbData});
  return std::string(reinterpret_cast<const char*>(made.pbData), made.cbData);
}

}  // namespace hostclaw::approvals
