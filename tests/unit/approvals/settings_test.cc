// SPDX-License-Identifier: Apache-2.0
#include "approvals/store/settings.h"

#include "approvals/database/sqlite.h"
#include "policy/document/pattern_index.h"
#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

// What stands between the directories of a PATH on this system.
const std::string kBetween = policy::native_platform() == policy::Platform::kWindows ? ";" : ":";

// Puts a text into the settings that put_exec_setting would refuse.
void force(Store& store, const std::string& key, const std::string& text) {
  must(store.database()
           .statement("INSERT OR REPLACE INTO settings VALUES (?, ?, 0)")
           .bind(key)
           .bind(std::string_view(text))
           .run());
}

TEST_CASE("nothing stored means the documented defaults", "[settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  const ExecSettingsReading reading = read_exec_settings(*store);
  CHECK(reading.problems.empty());
  CHECK(reading.settings.engine.security_limit == policy::Security::kFull);
  CHECK(reading.settings.engine.ask_floor == policy::Ask::kOff);
  CHECK(reading.settings.engine.fallback_security == policy::Security::kAllowlist);
  CHECK(reading.settings.engine.fallback_ask == policy::Ask::kOnMiss);
  CHECK(reading.settings.engine.fallback_ask_fallback == policy::Security::kDeny);
  CHECK(reading.settings.engine.strictness == policy::Strictness::kHardened);
  CHECK_FALSE(reading.settings.engine.strict_inline_eval);
  CHECK_FALSE(reading.settings.engine.safe_bins.has_value());
  CHECK(reading.settings.remote_edits == RemoteEdits::kAllow);
  CHECK(reading.settings.ask_via == AskVia::kGateway);
  CHECK(reading.settings.ask_wait_ms == 600'000);
  CHECK(reading.settings.max_concurrent_runs == 64);
  CHECK_FALSE(reading.settings.path_override.has_value());
}

TEST_CASE("every setting that is stored is read back", "[settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(put_exec_setting(*store, "exec.securityLimit", "allowlist"));
  must(put_exec_setting(*store, "exec.askFloor", "on-miss"));
  must(put_exec_setting(*store, "exec.fallbackSecurity", "deny"));
  must(put_exec_setting(*store, "exec.fallbackAsk", "always"));
  must(put_exec_setting(*store, "exec.fallbackAskFallback", "allowlist"));
  must(put_exec_setting(*store, "exec.strictness", "official"));
  must(put_exec_setting(*store, "exec.strictInlineEval", true));
  must(put_exec_setting(*store, "exec.ruleDoubt", "allow"));
  must(put_exec_setting(*store, "exec.safeBins", {"wc", "jq"}));
  must(put_exec_setting(*store, "exec.safeBinProfiles",
                        {{"JQ",
                          {{"minPositional", 1},
                           {"maxPositional", 2},
                           {"allowedValueFlags", {"--arg"}},
                           {"deniedFlags", {"-f"}}}}}));
  must(put_exec_setting(*store, "exec.safeBinTrustedDirs", {"/opt/tools"}));
  must(put_exec_setting(*store, "exec.remoteEdits", "tighten-only"));
  must(put_exec_setting(*store, "exec.askVia", "both"));
  must(put_exec_setting(*store, "exec.askWaitMs", 90'000));
  must(put_exec_setting(*store, "exec.maxConcurrentRuns", 3));
  must(put_exec_setting(*store, "exec.path", "/usr/bin" + kBetween + "/bin"));
  const ExecSettingsReading reading = read_exec_settings(*store);
  CHECK(reading.problems.empty());
  const policy::EngineSettings& engine = reading.settings.engine;
  CHECK(engine.security_limit == policy::Security::kAllowlist);
  CHECK(engine.ask_floor == policy::Ask::kOnMiss);
  CHECK(engine.fallback_security == policy::Security::kDeny);
  CHECK(engine.fallback_ask == policy::Ask::kAlways);
  CHECK(engine.fallback_ask_fallback == policy::Security::kAllowlist);
  CHECK(engine.strictness == policy::Strictness::kOfficial);
  CHECK(engine.rule_doubt == policy::RuleEffect::kAllow);
  CHECK(engine.strict_inline_eval);
  CHECK(engine.safe_bins == std::vector<std::string>{"wc", "jq"});
  REQUIRE(engine.safe_bin_profiles.count("jq") == 1);
  CHECK(engine.safe_bin_profiles.at("jq").min_positional == 1);
  CHECK(engine.safe_bin_profiles.at("jq").max_positional == 2);
  CHECK(engine.safe_bin_profiles.at("jq").allowed_value_flags == std::vector<std::string>{"--arg"});
  CHECK(engine.safe_bin_profiles.at("jq").denied_flags == std::vector<std::string>{"-f"});
  CHECK(engine.safe_bin_trusted_dirs == std::vector<std::string>{"/opt/tools"});
  CHECK(reading.settings.remote_edits == RemoteEdits::kTightenOnly);
  CHECK(reading.settings.ask_via == AskVia::kBoth);
  CHECK(reading.settings.ask_wait_ms == 90'000);
  CHECK(reading.settings.max_concurrent_runs == 3);
  CHECK(max_concurrent_runs(*store) == 3);
  CHECK(reading.settings.path_override == "/usr/bin" + kBetween + "/bin");
}

TEST_CASE("a wrong value is refused before it is stored", "[settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  const auto [key, value] = GENERATE(table<std::string, std::string>({
      {"exec.securityLimit", R"("Full")"},
      {"exec.askFloor", "1"},
      {"exec.strictness", R"("lax")"},
      {"exec.strictInlineEval", R"("yes")"},
      {"exec.ruleDoubt", R"("maybe")"},
      {"exec.safeBins", R"(["wc", " "])"},
      {"exec.safeBins", R"("wc")"},
      {"exec.safeBinProfiles", R"({"jq": {"allowedBooleanFlags": ["-r"]}})"},
      {"exec.safeBinProfiles", R"({"jq": {"maxPositional": -1}})"},
      {"exec.safeBinTrustedDirs", R"(["relative"])"},
      {"exec.remoteEdits", R"("some")"},
      {"exec.askVia", "null"},
      {"exec.askWaitMs", "999"},
      {"exec.askWaitMs", "86400001"},
      {"exec.askWaitMs", "\"10m\""},
      {"exec.maxConcurrentRuns", "0"},
      {"exec.maxConcurrentRuns", "2.5"},
      {"exec.maxConcurrentRuns", "100000"},
      {"exec.path", R"("/usr/bin)" + kBetween + ".\""},
      {"exec.path", R"("/usr/bin)" + kBetween + kBetween + "/bin\""},
  }));
  const auto refused = put_exec_setting(*store, key, must(parse_json(value)));
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == "SETTING_INVALID");
  CHECK(refused.error().message.find(key) != std::string::npos);
  CHECK(setting_text(*store, key) == "absent");
}

TEST_CASE("a key that does not exist is refused", "[settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  CHECK(code_of(put_exec_setting(*store, "exec.securitylimit", "deny")) == "SETTING_UNKNOWN");
  CHECK(code_of(put_exec_setting(*store, "nodeHost.config", "x")) == "SETTING_UNKNOWN");
}

TEST_CASE("a stored value that is wrong is named and its strictest value is used", "[settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  const std::string damage = GENERATE("\"nonsense\"", "{oops", "[[]]", "-3");
  for (const ExecSettingInfo& info : exec_setting_infos()) force(*store, std::string(info.key), damage);
  const ExecSettingsReading reading = read_exec_settings(*store);
  CHECK(reading.problems.size() == exec_setting_infos().size());
  for (const ExecSettingInfo& info : exec_setting_infos()) {
    bool named = false;
    for (const Error& problem : reading.problems) {
      named = named || problem.message.find("setting " + std::string(info.key) + " ") != std::string::npos;
    }
    CHECK(named);
  }
  CHECK(reading.settings.engine.security_limit == policy::Security::kDeny);
  CHECK(reading.settings.engine.ask_floor == policy::Ask::kAlways);
  CHECK(reading.settings.engine.fallback_security == policy::Security::kDeny);
  CHECK(reading.settings.engine.fallback_ask == policy::Ask::kAlways);
  CHECK(reading.settings.engine.fallback_ask_fallback == policy::Security::kDeny);
  CHECK(reading.settings.engine.strictness == policy::Strictness::kHardened);
  CHECK(reading.settings.engine.strict_inline_eval);
  CHECK(reading.settings.engine.rule_doubt == policy::RuleEffect::kDeny);
  CHECK(reading.settings.engine.safe_bins == std::vector<std::string>());
  CHECK(reading.settings.remote_edits == RemoteEdits::kNone);
  CHECK(reading.settings.max_concurrent_runs == 1);
  CHECK(reading.settings.path_override == "");
}

TEST_CASE("a good list of safe bins does not undo the strictness of a broken profile", "[settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(put_exec_setting(*store, "exec.safeBins", {"wc"}));
  force(*store, "exec.safeBinProfiles", "[]");
  CHECK(engine_settings(*store).safe_bins == std::vector<std::string>());
}

TEST_CASE("one wrong setting leaves the others as they are", "[settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(put_exec_setting(*store, "exec.strictness", "official"));
  force(*store, "exec.maxConcurrentRuns", "\"many\"");
  const ExecSettingsReading reading = read_exec_settings(*store);
  REQUIRE(reading.problems.size() == 1);
  CHECK(reading.problems[0].code == "SETTING_INVALID");
  CHECK(reading.problems[0].next == "hostclaw exec-policy show");
  CHECK(reading.settings.engine.strictness == policy::Strictness::kOfficial);
}

TEST_CASE("a store that cannot be read gives the strictest settings", "[settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->database().execute("ALTER TABLE settings RENAME TO elsewhere"));
  const ExecSettingsReading reading = read_exec_settings(*store);
  REQUIRE_FALSE(reading.problems.empty());
  CHECK(reading.settings.engine.security_limit == policy::Security::kDeny);
  CHECK(reading.settings.remote_edits == RemoteEdits::kNone);
}

TEST_CASE("settings of other parts are not touched", "[settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  force(*store, "nodeHost.config", "{oops");
  force(*store, "exec", "{oops");
  CHECK(read_exec_settings(*store).problems.empty());
}

}  // namespace
}  // namespace hostclaw::approvals
