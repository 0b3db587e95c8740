// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "approvals/store/store.h"
#include "base/profile.h"

namespace hostclaw::approvals {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

Result<std::string> absolute(const std::string& path) {
  std::error_code failure;
  const std::filesystem::path made = std::filesystem::absolute(path, failure);
  if (failure) return make_error("STORE_IO", "cannot find the directory " + path + ": " + failure.message());
  std::string text = made.lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
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
  if (const std::string openclaw = variable("OPENCLAW_STATE_DIR"); !openclaw.empty()) {
    return absolute(openclaw + "/" + with_profile("hostclaw"));
  }
  // The specification of XDG_STATE_HOME says that a relative value is to be ignored.
  if (const std::string xdg = variable("XDG_STATE_HOME"); xdg.starts_with('/'))
    return absolute(xdg + "/" + with_profile("hostclaw"));
  if (const std::string home = variable("HOME"); !home.empty())
    return absolute(home + "/.local/state/" + with_profile("hostclaw"));
  if (::geteuid() == 0) return with_profile("/var/lib/hostclaw");
  return make_error("STORE_IO",
                    "no place for the state directory is known: neither HOSTCLAW_STATE_DIR nor HOME is set",
                    "export HOSTCLAW_STATE_DIR=/path/of/your/choice");
}

}  // namespace hostclaw::approvals
