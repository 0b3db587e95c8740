// SPDX-License-Identifier: Apache-2.0
#include "approvals/store/settings.h"

#include <algorithm>
#include <chrono>
#include <initializer_list>

#include "approvals/audit/audit_chain.h"
#include "approvals/database/sqlite.h"
#include "base/clock.h"
#include "base/text.h"
#include "policy/document/pattern_index.h"
#include "policy/request/command_text.h"

namespace hostclaw::approvals {
namespace {

using policy::EngineSettings;
using policy::SafeBinProfile;

// Empty: the value was taken over. Otherwise what is wrong with it, without quoting it.
using Problem = std::string;

struct Setting {
  ExecSettingInfo info;
  Problem (*apply)(const Json& value, ExecSettings& settings);
  void (*make_strictest)(ExecSettings& settings);
};

constexpr std::size_t kMostConcurrentRuns = 1024;
constexpr std::int64_t kShortestAskWaitMs = 1000;
constexpr std::int64_t kLongestAskWaitMs = std::int64_t{24} * 60 * 60 * 1000;

template <class Value, class Parse>
Problem apply_word(const Json& value, Parse parse, const char* words, Value& target) {
  const auto parsed = value.is_string() ? parse(value.get_ref<const std::string&>()) : std::nullopt;
  if (!parsed) return std::string("must be one of ") + words;
  target = *parsed;
  return {};
}

Problem apply_strings(const Json& value, std::vector<std::string>& target) {
  if (!value.is_array()) return "must be an array of texts";
  std::vector<std::string> texts;
  for (const Json& item : value) {
    if (!item.is_string() || trim(item.get_ref<const std::string&>()).empty()) {
      return "must be an array of texts that are not blank";
    }
    texts.push_back(item.get<std::string>());
  }
  target = std::move(texts);
  return {};
}

bool is_absolute_directory(const std::string& text) {
  return policy::is_absolute_path(text, policy::native_platform()) && text.find('\0') == std::string::npos;
}

Problem apply_count(const Json& value, std::optional<int>& target) {
  if (!value.is_number_integer() || value < Json(0) || value > Json(1'000'000))
    return "must be a whole number";
  target = value.get<int>();
  return {};
}

Problem apply_profile(const Json& value, SafeBinProfile& profile) {
  if (!value.is_object()) return "must be an object";
  for (const auto& [name, member] : value.items()) {
    Problem problem = "is not known";
    if (name == "minPositional") problem = apply_count(member, profile.min_positional);
    if (name == "maxPositional") problem = apply_count(member, profile.max_positional);
    if (name == "allowedValueFlags") problem = apply_strings(member, profile.allowed_value_flags);
    if (name == "deniedFlags") problem = apply_strings(member, profile.denied_flags);
    if (!problem.empty()) return "member " + name + " " + problem;
  }
  return {};
}

Problem apply_profiles(const Json& value, ExecSettings& settings) {
  if (!value.is_object()) return "must be an object of profiles by program name";
  std::map<std::string, SafeBinProfile> profiles;
  for (const auto& [name, member] : value.items()) {
    if (Problem problem = apply_profile(member, profiles[to_lower_ascii(name)]); !problem.empty()) {
      return "profile " + name + ": " + problem;
    }
  }
  settings.engine.safe_bin_profiles = std::move(profiles);
  return {};
}

Problem apply_trusted_dirs(const Json& value, ExecSettings& settings) {
  std::vector<std::string> directories;
  if (Problem problem = apply_strings(value, directories); !problem.empty()) return problem;
  if (!std::all_of(directories.begin(), directories.end(), is_absolute_directory))
    return "must hold absolute paths";
  settings.engine.safe_bin_trusted_dirs = std::move(directories);
  return {};
}

Problem apply_safe_bins(const Json& value, ExecSettings& settings) {
  std::vector<std::string> names;
  if (Problem problem = apply_strings(value, names); !problem.empty()) return problem;
  settings.engine.safe_bins = std::move(names);
  return {};
}

Problem apply_path(const Json& value, ExecSettings& settings) {
  const bool windows = policy::native_platform() == policy::Platform::kWindows;
  const std::string wanted =
      std::string("absolute directories joined by ") + (windows ? "semicolons" : "colons");
  if (!value.is_string()) return "must be a text of " + wanted;
  const std::string& text = value.get_ref<const std::string&>();
  const std::vector<std::string> directories = split(text, windows ? ';' : ':');
  if (!text.empty() && !std::all_of(directories.begin(), directories.end(), is_absolute_directory)) {
    return "must hold " + wanted;
  }
  settings.path_override = text;
  return {};
}

Problem apply_max_concurrent(const Json& value, ExecSettings& settings) {
  if (!value.is_number_integer() || value < Json(1) || value > Json(kMostConcurrentRuns)) {
    return "must be a whole number from 1 to " + std::to_string(kMostConcurrentRuns);
  }
  settings.max_concurrent_runs = value.get<std::size_t>();
  return {};
}

Problem apply_ask_wait(const Json& value, ExecSettings& settings) {
  if (!value.is_number_integer() || value < Json(kShortestAskWaitMs) || value > Json(kLongestAskWaitMs)) {
    return "must be a whole number of milliseconds from " + std::to_string(kShortestAskWaitMs) + " to " +
           std::to_string(kLongestAskWaitMs);
  }
  settings.ask_wait_ms = value.get<std::int64_t>();
  return {};
}

Problem apply_strict_inline_eval(const Json& value, ExecSettings& settings) {
  if (!value.is_boolean()) return "must be true or false";
  settings.engine.strict_inline_eval = value.get<bool>();
  return {};
}

Problem apply_mode(const Json& value, ExecSettings& settings) {
  if (value != Json("enforce") && value != Json("observe")) return "must be one of enforce | observe";
  settings.engine.observe = value == Json("observe");
  return {};
}

std::optional<RemoteEdits> remote_edits_from(std::string_view text) {
  for (const RemoteEdits value : {RemoteEdits::kAllow, RemoteEdits::kTightenOnly, RemoteEdits::kNone}) {
    if (text == to_string(value)) return value;
  }
  return std::nullopt;
}

std::optional<AskVia> ask_via_from(std::string_view text) {
  for (const AskVia value : {AskVia::kGateway, AskVia::kLocal, AskVia::kBoth}) {
    if (text == to_string(value)) return value;
  }
  return std::nullopt;
}

constexpr const char* kSecurityWords = "deny | allowlist | full";
constexpr const char* kDoubtWords = "deny | ask | allow";
constexpr const char* kAskWords = "off | on-miss | always";

const std::vector<Setting>& all_settings() {
  static const std::vector<Setting> settings = {
      {{"exec.securityLimit", kSecurityWords, "full",
        "ceiling: the policy document cannot allow more than this, whoever edits it"},
       [](const Json& value, ExecSettings& s) {
         return apply_word(value, policy::security_from, kSecurityWords, s.engine.security_limit);
       },
       [](ExecSettings& s) { s.engine.security_limit = policy::Security::kDeny; }},
      {{"exec.askFloor", kAskWords, "off",
        "floor: the policy document cannot make the node ask less than this"},
       [](const Json& value, ExecSettings& s) {
         return apply_word(value, policy::ask_from, kAskWords, s.engine.ask_floor);
       },
       [](ExecSettings& s) { s.engine.ask_floor = policy::Ask::kAlways; }},
      {{"exec.fallbackSecurity", kSecurityWords, "allowlist", "security where the policy document is silent"},
       [](const Json& value, ExecSettings& s) {
         return apply_word(value, policy::security_from, kSecurityWords, s.engine.fallback_security);
       },
       [](ExecSettings& s) { s.engine.fallback_security = policy::Security::kDeny; }},
      {{"exec.fallbackAsk", kAskWords, "on-miss", "ask where the policy document is silent"},
       [](const Json& value, ExecSettings& s) {
         return apply_word(value, policy::ask_from, kAskWords, s.engine.fallback_ask);
       },
       [](ExecSettings& s) { s.engine.fallback_ask = policy::Ask::kAlways; }},
      {{"exec.fallbackAskFallback", kSecurityWords, "deny",
        "askFallback where the policy document is silent"},
       [](const Json& value, ExecSettings& s) {
         return apply_word(value, policy::security_from, kSecurityWords, s.engine.fallback_ask_fallback);
       },
       [](ExecSettings& s) { s.engine.fallback_ask_fallback = policy::Security::kDeny; }},
      {{"exec.strictness", "hardened | official", "hardened",
        "hardened also asks for what is listed but carries other code to run"},
       [](const Json& value, ExecSettings& s) {
         return apply_word(value, policy::strictness_from, "hardened | official", s.engine.strictness);
       },
       [](ExecSettings& s) { s.engine.strictness = policy::Strictness::kHardened; }},
      {{"exec.mode", "enforce | observe", "enforce",
        "observe runs what would have been asked about or refused, and counts it"},
       apply_mode,
       [](ExecSettings& s) { s.engine.observe = false; }},
      {{"exec.ruleDoubt", kDoubtWords, "ask",
        "what holds where a text hides whether a rule that denies or asks applies"},
       [](const Json& value, ExecSettings& s) {
         return apply_word(value, policy::rule_effect_from, kDoubtWords, s.engine.rule_doubt);
       },
       [](ExecSettings& s) { s.engine.rule_doubt = policy::RuleEffect::kDeny; }},
      {{"exec.strictInlineEval", "true | false", "false",
        "code on the command line of an interpreter always needs an approval"},
       apply_strict_inline_eval,
       [](ExecSettings& s) { s.engine.strict_inline_eval = true; }},
      {{"exec.safeBins", "[names]", "[cut, uniq, head, tail, tr, wc]",
        "filters that may run without an entry when they touch no file"},
       apply_safe_bins,
       [](ExecSettings& s) { s.engine.safe_bins = std::vector<std::string>(); }},
      {{"exec.safeBinProfiles", "{name: {minPositional, maxPositional, allowedValueFlags, deniedFlags}}",
        "{}", "the arguments that an additional safe bin may have"},
       apply_profiles,
       // A profile that is lost could have been narrower than the built-in one: no safe bin at all is the
       // strict side.
       [](ExecSettings& s) { s.engine.safe_bins = std::vector<std::string>(); }},
      {{"exec.safeBinTrustedDirs", "[absolute paths]", "[]",
        "directories beside /bin and /usr/bin for safe bins"},
       apply_trusted_dirs,
       [](ExecSettings& s) { s.engine.safe_bin_trusted_dirs.clear(); }},
      {{"exec.remoteEdits", "allow | tighten-only | none", "allow",
        "what the gateway may do to the policy document"},
       [](const Json& value, ExecSettings& s) {
         return apply_word(value, remote_edits_from, "allow | tighten-only | none", s.remote_edits);
       },
       [](ExecSettings& s) { s.remote_edits = RemoteEdits::kNone; }},
      {{"exec.askVia", "gateway | local | both", "gateway", "where a human is asked"},
       [](const Json& value, ExecSettings& s) {
         return apply_word(value, ask_via_from, "gateway | local | both", s.ask_via);
       },
       [](ExecSettings& s) { s.ask_via = AskVia::kLocal; }},
      {{"exec.askWaitMs", "1000 to 86400000", "600000",
        "how long a question that this node asks itself waits for an answer, in milliseconds"},
       apply_ask_wait,
       [](ExecSettings& s) { s.ask_wait_ms = kShortestAskWaitMs; }},
      {{"exec.maxConcurrentRuns", "1 to 1024", "64", "runs at the same time; more wait in order"},
       apply_max_concurrent,
       [](ExecSettings& s) { s.max_concurrent_runs = 1; }},
      {{"exec.path", "absolute directories joined by colons", "the PATH of the node process",
        "where names without a slash are looked up"},
       apply_path,
       [](ExecSettings& s) { s.path_override = std::string(); }},
  };
  return settings;
}

const Setting* find_setting(std::string_view key) {
  const auto& settings = all_settings();
  const auto found = std::find_if(settings.begin(), settings.end(),
                                  [&](const Setting& setting) { return setting.info.key == key; });
  return found == settings.end() ? nullptr : &*found;
}

Error invalid_setting(const std::string& key, const Problem& problem, const Setting& setting) {
  return make_error(
      "SETTING_INVALID",
      "setting " + key + " " + problem + "; its values are: " + std::string(setting.info.values),
      "hostclaw exec-policy show");
}

void read_stored(const std::string& key, std::string_view text, ExecSettingsReading& reading) {
  const Setting* setting = find_setting(key);
  if (setting == nullptr) {
    reading.problems.push_back(
        make_error("SETTING_INVALID", "setting " + key + " is not known and has no effect"));
    return;
  }
  const Result<Json> value = parse_json(text);
  const Problem problem = value ? setting->apply(*value, reading.settings) : "is not valid JSON";
  if (problem.empty()) return;
  reading.problems.push_back(
      invalid_setting(key, problem + ", so that its strictest value is in force", *setting));
}

// After everything else, so that a good value of one setting cannot undo the strictness that another one
// asked for.
void apply_strictest(ExecSettingsReading& reading, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    if (const Setting* setting = find_setting(key)) setting->make_strictest(reading.settings);
  }
}

template <class Change>
Result<void> change_setting(Store& store, const std::string& key, const Actor& actor, const Json& after,
                            Change change) {
  return store.transaction([&]() -> Result<void> {
    // A stored value that cannot be read is no reason not to replace it.
    const Result<std::optional<Json>> before = store.setting(key);
    if (Result<void> changed = change(); !changed) return changed;
    const Result<AuditRow> recorded = append_audit_row(store.database(), unix_ms_now(), "setting-write",
                                                       {{"door", actor.door},
                                                        {"who", actor.who},
                                                        {"key", key},
                                                        {"before", before && *before ? **before : Json()},
                                                        {"after", after}});
    if (!recorded) return recorded.error();
    return {};
  });
}

}  // namespace

std::string_view to_string(RemoteEdits value) {
  switch (value) {
    case RemoteEdits::kAllow:
      return "allow";
    case RemoteEdits::kTightenOnly:
      return "tighten-only";
    case RemoteEdits::kNone:
      break;
  }
  return "none";
}

std::string_view to_string(AskVia value) {
  switch (value) {
    case AskVia::kGateway:
      return "gateway";
    case AskVia::kLocal:
      return "local";
    case AskVia::kBoth:
      break;
  }
  return "both";
}

ExecSettingsReading read_exec_settings(Store& store) {
  ExecSettingsReading reading;
  std::vector<std::string> wrong;
  // '/' is the character after '.': the range holds every key that starts with "exec.".
  Statement query =
      store.database().statement("SELECT key, value FROM settings WHERE key >= 'exec.' AND key < 'exec/'");
  for (;;) {
    const Result<bool> found = query.step();
    if (!found) {
      reading.problems.push_back(found.error());
      for (const Setting& setting : all_settings()) wrong.emplace_back(setting.info.key);
      break;
    }
    if (!*found) break;
    const std::size_t problems = reading.problems.size();
    read_stored(query.text(0), query.text_view(1), reading);
    if (reading.problems.size() != problems) wrong.push_back(query.text(0));
  }
  apply_strictest(reading, wrong);
  return reading;
}

EngineSettings engine_settings(Store& store) { return read_exec_settings(store).settings.engine; }

std::size_t max_concurrent_runs(Store& store) {
  return read_exec_settings(store).settings.max_concurrent_runs;
}

Result<void> check_exec_setting(const std::string& key, const Json& value) {
  const Setting* setting = find_setting(key);
  if (setting == nullptr) {
    return make_error("SETTING_UNKNOWN", "there is no setting " + key, "hostclaw exec-policy show");
  }
  ExecSettings scratch;
  const Problem problem = setting->apply(value, scratch);
  if (!problem.empty()) return invalid_setting(key, problem, *setting);
  return {};
}

Result<void> put_exec_setting(Store& store, const std::string& key, const Json& value, const Actor& actor) {
  if (Result<void> checked = check_exec_setting(key, value); !checked) return checked;
  return change_setting(store, key, actor, value, [&] { return store.put_setting(key, value); });
}

Result<void> remove_exec_setting(Store& store, const std::string& key, const Actor& actor) {
  if (find_setting(key) == nullptr) {
    return make_error("SETTING_UNKNOWN", "there is no setting " + key, "hostclaw exec-policy show");
  }
  return change_setting(store, key, actor, Json(), [&] { return store.remove_setting(key); });
}

Result<void> write_recorded_setting(Store& store, const std::string& key, const std::optional<Json>& value,
                                    const Actor& actor) {
  return change_setting(store, key, actor, value.value_or(Json()),
                        [&] { return value ? store.put_setting(key, *value) : store.remove_setting(key); });
}

const std::vector<ExecSettingInfo>& exec_setting_infos() {
  static const std::vector<ExecSettingInfo> infos = [] {
    std::vector<ExecSettingInfo> made;
    for (const Setting& setting : all_settings()) made.push_back(setting.info);
    return made;
  }();
  return infos;
}

}  // namespace hostclaw::approvals
