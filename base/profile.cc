// SPDX-License-Identifier: Apache-2.0
#include "base/profile.h"

#include <algorithm>

#include "base/file_names.h"

namespace hostclaw {
namespace {

constexpr std::size_t kLongestName = 64;

std::string& named_profile() {
  static std::string name;
  return name;
}

bool is_letter_or_digit(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string profile_of_environment() { return environment_variable("HOSTCLAW_PROFILE").value_or(""); }

}  // namespace

bool is_profile_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestName &&
         is_letter_or_digit(static_cast<unsigned char>(text.front())) &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; });
}

void use_profile(std::string name) { named_profile() = std::move(name); }

std::string profile() { return named_profile().empty() ? profile_of_environment() : named_profile(); }

std::string with_profile(std::string_view name) {
  const std::string suffix = profile();
  return std::string(name) + (suffix.empty() ? "" : "-" + suffix);
}

bool profile_is_of_environment() {
  const std::string name = profile_of_environment();
  return !name.empty() && name == profile();
}

std::string own_command() {
  const std::string name = profile();
  return name.empty() ? "hostclaw" : "hostclaw --profile " + name;
}

std::string naming_profile(std::string_view text) {
  constexpr std::string_view kCommand = "hostclaw ";
  const std::string name = profile();
  if (name.empty()) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const std::size_t at = text.find(kCommand);
    if (at == std::string_view::npos) break;
    const bool begins = at == 0 || text[at - 1] == ' ' || text[at - 1] == '(' || text[at - 1] == '`';
    const std::size_t end = at + kCommand.size();
    out += text.substr(0, end);
    if (begins && !text.substr(end).starts_with("--profile ")) out += "--profile " + name + " ";
    text.remove_prefix(end);
  }
  return out + std::string(text);
}

}  // namespace hostclaw
