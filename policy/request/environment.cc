// SPDX-License-Identifier: Apache-2.0
#include "policy/request/environment.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "policy/model/engine_context.h"
#include "policy/request/environment_names.h"

namespace hostclaw::policy {
namespace {

template <std::size_t N>
bool contains(const std::string_view (&sorted)[N], std::string_view name) {
  return std::binary_search(std::begin(sorted), std::end(sorted), name);
}

template <class Range>
bool has_prefix_of(const Range& prefixes, std::string_view name) {
  return std::any_of(std::begin(prefixes), std::end(prefixes),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

// The names that any platform can carry; the parentheses are those of `ProgramFiles(x86)`.
bool is_portable_name(std::string_view name, bool parentheses) {
  if (name.empty() || !(is_ascii_letter(name[0]) || name[0] == '_')) return false;
  return std::all_of(name.begin() + 1, name.end(), [&](char c) {
    return is_ascii_letter(c) || is_ascii_digit(c) || c == '_' || (parentheses && (c == '(' || c == ')'));
  });
}

bool is_no_pager(std::string_view upper_name, std::string_view value) {
  return (upper_name == "PAGER" || upper_name == "GIT_PAGER") && (value.empty() || value == "cat");
}

// CARGO_TARGET_<triple>_LINKER and _RUNNER name a program that cargo starts.
bool is_cargo_target_program(std::string_view upper_name) {
  constexpr std::string_view kPrefix = "CARGO_TARGET_";
  if (!upper_name.starts_with(kPrefix)) return false;
  const std::string_view rest = upper_name.substr(kPrefix.size());
  const std::size_t suffix = rest.ends_with("_LINKER") || rest.ends_with("_RUNNER") ? 7 : 0;
  return suffix > 0 && rest.size() > suffix;
}

void sort_unique(std::vector<std::string>& names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

bool is_inherited(std::string_view upper_name) {
  if (contains(kBlockedEverywhere, upper_name) || has_prefix_of(kBlockedPrefixes, upper_name)) return false;
  return !contains(kBlockedOverrides, upper_name) || contains(kInheritedAnyway, upper_name);
}

// What belongs to the host itself and would let a child speak in its name (17.1 item 8).
bool is_own_secret(std::string_view upper_name) {
  return upper_name == "OPENCLAW_GATEWAY_TOKEN" || upper_name == "OPENCLAW_GATEWAY_PASSWORD" ||
         upper_name.starts_with("HOSTCLAW_") || upper_name.starts_with("CF_ACCESS_");
}

// Only transports that cannot run a helper chosen by the address are kept.
std::string safe_git_protocols(std::string_view value) {
  std::string out;
  for (const std::string& item : split(value, ':')) {
    const std::string name = to_lower_ascii(trim(item));
    if (name != "git" && name != "http" && name != "https" && name != "ssh") continue;
    if (!out.empty()) out.push_back(':');
    out += name;
  }
  return out;
}

bool is_truthy_for_git(std::string_view value) {
  const std::string text = to_lower_ascii(trim(value));
  if (text == "true" || text == "yes" || text == "on") return true;
  std::string_view digits = text;
  if (!digits.empty() && (digits[0] == '+' || digits[0] == '-')) digits.remove_prefix(1);
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_ascii_digit)) return false;
  return std::any_of(digits.begin(), digits.end(), [](char c) { return c != '0'; });
}

bool same_name(std::string_view left, std::string_view right, Platform platform) {
  return platform == Platform::kWindows ? to_upper_ascii(left) == to_upper_ascii(right) : left == right;
}

constexpr std::array<std::string_view, 25> kHarmlessNames = {"CI",
                                                             "CLICOLOR",
                                                             "CLICOLOR_FORCE",
                                                             "COLORTERM",
                                                             "COLUMNS",
                                                             "FORCE_COLOR",
                                                             "GIT_PAGER",
                                                             "LANG",
                                                             "LANGUAGE",
                                                             "LINES",
                                                             "NO_COLOR",
                                                             "OPENCLAW_CLI",
                                                             "OPENCLAW_SUBAGENT_EXEC",
                                                             "PAGER",
                                                             "PYTHONIOENCODING",
                                                             "PYTHONUNBUFFERED",
                                                             "PYTHONUTF8",
                                                             "RUST_BACKTRACE",
                                                             "SOURCE_DATE_EPOCH",
                                                             "TERM",
                                                             "TZ",
                                                             "GIT_TERMINAL_PROMPT",
                                                             "DEBIAN_FRONTEND",
                                                             "NODE_ENV",
                                                             "GIT_OPTIONAL_LOCKS"};

bool is_harmless(std::string_view upper_name, std::string_view value) {
  // A locale or time zone with a path in it makes libc read that file.
  if (value.find('/') != std::string_view::npos || value.find('\0') != std::string_view::npos) return false;
  return upper_name.starts_with("LC_") ||
         std::find(kHarmlessNames.begin(), kHarmlessNames.end(), upper_name) != kHarmlessNames.end();
}

// Families of names by which programs are told which files to read or write, which helpers to start, or which
// options to act as if given. A list can only be an approximation, so shapes count, not single names.
bool is_steering(std::string_view name) {
  constexpr std::array<std::string_view, 38> kSuffixes = {
      "PATH",    "_DIR",    "_DIRS",    "DIR",    "_HOME",    "HOME",    "_ROOT",    "_FILE",
      "_FILES",  "_CONFIG", "CONFIG",   "_RC",    "RC",       "OPTIONS", "OPTS",     "_OPT",
      "FLAGS",   "_ARGS",   "_INIT",    "INIT",   "EDITOR",   "_PAGER",  "PAGER",    "SHELL",
      "COMMAND", "_CMD",    "_EXEC",    "_RSH",   "_SSH",     "ASKPASS", "_PROGRAM", "_PRELOAD",
      "_LIBS",   "_LIB",    "_PLUGINS", "_PROXY", "DEFAULTS", "_CERT"};
  constexpr std::array<std::string_view, 25> kPrefixes = {
      "GIT_", "SSH_",    "GPG",       "PYTHON",    "PERL",   "RUBY",     "NODE_", "NPM_",    "JAVA",
      "PHP",  "LUA_",    "TERMINFO",  "TERMCAP",   "MALLOC", "GCONV",    "XDG_",  "DOCKER_", "CARGO_",
      "RUST", "OPENSSL", "OPENCLAW_", "HOSTCLAW_", "CURL_",  "ANSIBLE_", "LESS"};
  constexpr std::array<std::string_view, 22> kNames = {
      "TMP",   "TEMP",    "TMPDIR",  "TEMPDIR", "GZIP",      "BZIP2",          "BZIP", "ZIPOPT",
      "UNZIP", "XZ_OPT",  "MANOPT",  "MORE",    "CDPATH",    "OLDPWD",         "PWD",  "MAIL",
      "TZDIR", "COMSPEC", "PATHEXT", "DISPLAY", "JQ_COLORS", "POSIXLY_CORRECT"};
  const auto any = [&](const auto& list, auto test) { return std::any_of(list.begin(), list.end(), test); };
  return any(kNames, [&](std::string_view item) { return item == name; }) ||
         any(kPrefixes, [&](std::string_view item) { return name.starts_with(item); }) ||
         any(kSuffixes, [&](std::string_view item) { return name.ends_with(item); });
}

}  // namespace

bool is_blocked_override(std::string_view name, std::string_view value, Platform platform) {
  const std::string upper = to_upper_ascii(name);
  if (upper == "PATH") return true;
  // A child started through them would not be the program that was judged (17.5 item 11).
  if (platform == Platform::kWindows && (upper == "PATHEXT" || upper == "COMSPEC")) return true;
  if (is_no_pager(upper, value)) return false;
  return contains(kBlockedEverywhere, upper) || contains(kBlockedOverrides, upper) ||
         has_prefix_of(kBlockedPrefixes, upper) || has_prefix_of(kBlockedOverridePrefixes, upper) ||
         is_cargo_target_program(upper);
}

Environment read_overrides(const Json& overrides) {
  Environment out;
  if (!overrides.is_object()) return out;
  for (const auto& [name, value] : overrides.items()) {
    if (value.is_string()) out.emplace_back(name, value.get_ref<const std::string&>());
  }
  return out;
}

OverrideCheck check_overrides(const Json& overrides, Platform platform) {
  return check_override_pairs(read_overrides(overrides), platform);
}

OverrideCheck check_override_pairs(const Environment& overrides, Platform platform) {
  OverrideCheck out;
  for (const auto& [raw_name, value] : overrides) {
    const std::string name(trim(raw_name));
    if (!is_portable_name(name, true)) {
      out.invalid.push_back(name);
    } else if (is_blocked_override(name, value, platform)) {
      out.blocked.push_back(to_upper_ascii(name));
    } else {
      const bool no_pager = is_no_pager(to_upper_ascii(name), value);
      out.accepted = with_overrides(std::move(out.accepted), {{name, no_pager ? "" : value}}, platform);
    }
  }
  sort_unique(out.blocked);
  sort_unique(out.invalid);
  return out;
}

std::vector<std::string> blocked_assignment_keys(const std::vector<std::string>& keys, Platform platform) {
  std::vector<std::string> out;
  for (const std::string& key : keys) {
    if (is_blocked_override(key, "1", platform)) out.push_back(to_upper_ascii(key));
  }
  sort_unique(out);
  return out;
}

Environment shell_wrapper_overrides(const Environment& accepted) {
  constexpr std::array<std::string_view, 6> kNames = {"TERM",     "LANG",        "COLORTERM",
                                                      "NO_COLOR", "FORCE_COLOR", "OPENCLAW_SUBAGENT_EXEC"};
  Environment out;
  for (const auto& [name, value] : accepted) {
    const std::string upper = to_upper_ascii(name);
    const bool named = std::find(kNames.begin(), kNames.end(), upper) != kNames.end() ||
                       (upper.starts_with("LC_") && is_portable_name(upper, false)) ||
                       is_no_pager(upper, value);
    if (named) out.emplace_back(name, value);
  }
  return out;
}

PermittedOverrides permitted_overrides(const Environment& accepted) {
  PermittedOverrides out;
  for (const auto& [name, value] : accepted) {
    const std::string upper = to_upper_ascii(name);
    if (is_harmless(upper, value)) {
      out.kept.emplace_back(name, value);
    } else if (is_steering(upper) || upper.starts_with("LC_") ||
               std::find(kHarmlessNames.begin(), kHarmlessNames.end(), upper) != kHarmlessNames.end()) {
      out.steering.push_back(name);
    } else {
      out.dropped.push_back(name);
    }
  }
  return out;
}

const std::string* find_variable(const Environment& environment, std::string_view name, Platform platform) {
  for (auto it = environment.rbegin(); it != environment.rend(); ++it) {
    if (same_name(it->first, name, platform)) return &it->second;
  }
  return nullptr;
}

Environment with_overrides(Environment base, const Environment& overrides, Platform platform) {
  for (const auto& [name, value] : overrides) {
    const auto same = [&, &key = name](const auto& item) { return same_name(item.first, key, platform); };
    const auto it = std::find_if(base.begin(), base.end(), same);
    if (it == base.end()) {
      base.emplace_back(name, value);
    } else {
      it->second = value;
    }
  }
  return base;
}

Environment sanitized_environment(const Environment& host_environment, Platform platform) {
  Environment out;
  for (const auto& [name, value] : host_environment) {
    const std::string upper = to_upper_ascii(name);
    if (name.empty() || is_own_secret(upper) || upper == "OPENCLAW_CLI") continue;
    if (upper == "GIT_ALLOW_PROTOCOL") {
      out.emplace_back(name, safe_git_protocols(value));
    } else if (upper == "GIT_PROTOCOL_FROM_USER") {
      out.emplace_back(name, is_truthy_for_git(value) ? "0" : value);
    } else if (is_inherited(upper)) {
      out = with_overrides(std::move(out), {{name, value}}, platform);
    }
  }
  out.emplace_back("OPENCLAW_CLI", "1");
  return out;
}

}  // namespace hostclaw::policy
