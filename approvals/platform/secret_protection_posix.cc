// SPDX-License-Identifier: Apache-2.0
#include "approvals/platform/secret_protection.h"

namespace hostclaw::approvals {

Result<std::string> protect_secret(std::string_view secret, std::string_view) { return std::string(secret); }

Result<std::string> unprotect_secret(std::string_view stored, std::string_view name) {
  if (!stored.starts_with(kProtectedPrefix)) return std::string(stored);
  const bool windows = stored.starts_with(kProtectedByWindowsAccount);
  return make_error(
      "SECRET_UNREADABLE",
      std::string(name) + (windows ? " was protected by Windows for one account there and cannot be read here"
                                   : " was protected by a newer version of hostclaw"),
      "pair again with another state directory: hostclaw node run --host <gateway>");
}

}  // namespace hostclaw::approvals
