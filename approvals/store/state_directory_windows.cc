// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "approvals/store/store.h"
#include "base/file_names.h"
#include "base/profile.h"

namespace hostclaw::approvals {
namespace {

std::string variable(const char* name) { return environment_variable(name).value_or(""); }

Result<std::string> absolute(const std::string& path) {
  std::error_code failure;
  const std::filesystem::path made = std::filesystem::absolute(to_path(path), failure);
  if (failure) return make_error("STORE_IO", "cannot find the directory " + path + ": " + failure.message());
  std::string text = to_text(made.lexically_normal());
  while (text.size() > 3 && text.back() == '/') text.pop_back();
  return text;
}

// A directory that was named for every profile, or for this one.
Result<std::string> absolute_of_profile(const std::string& path, bool is_its_own) {
  auto made = absolute(path);
  if (!made || is_its_own) return made;
  return with_profile(*made);
}

}  // namespace

Result<std::string> default_state_directory() {
  if (const std::string own = variable("HOSTCLAW_STATE_DIR"); !own.empty())
    return absolute_of_profile(own, profile_is_of_environment());
  if (const std::string openclaw = variable("OPENCLAW_STATE_DIR"); !openclaw.empty())
    return absolute(openclaw + "/" + with_profile("hostclaw"));
  if (const std::string local = variable("LOCALAPPDATA"); !local.empty())
    return absolute(local + "/" + with_profile("hostclaw"));
  return make_error(
      "STORE_IO",
      "no place for the state directory is known: neither HOSTCLAW_STATE_DIR nor LOCALAPPDATA is set",
      "set HOSTCLAW_STATE_DIR=C:\\folder\\of\\your\\choice");
}

}  // namespace hostclaw::approvals
