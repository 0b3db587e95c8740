// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <filesystem>

#include "base/text.h"
#include "policy/programs/wrappers.h"
#include "policy/request/command_text.h"
#include "tests/conformance/replay.h"

namespace hostclaw::conformance {
namespace {

using policy::Ask;
using policy::Security;
using policy::Verdict;

constexpr const char* kFixtureRoot = "/var/tmp/ocfix";
constexpr const char* kHome = "/home/ocplay";

// Programs that the machine of the recording had; only their existence matters.
constexpr const char* kPrograms[] = {"zsh",    "fish", "ksh",  "busybox", "npm",        "npx",
                                     "node",   "gdb",  "curl", "git",     "python3.11", "perl",
                                     "strace", "tmux", "jq",   "mawk",    "make",       "sudo"};

class World {
 public:
  explicit World(const Options& options) : options_(options) {
    build_fixture();
    probe_.own_prefixes = {kFixtureRoot, kHome};
    probe_.add_directory(kHome, 1500);
    probe_.add_file(std::string(kHome) + "/tool-home", "#!/bin/sh\necho home-tool\n", true, 1500);
    for (const char* name : kPrograms) {
      const std::string path = std::string("/usr/bin/") + name;
      if (std::string(name) == "sudo") {
        probe_.remove(path);
      } else if (!std::filesystem::exists(path)) {
        probe_.add_file(path,
                        "\x7f"
                        "ELF",
                        true);
      }
    }
    probe_.add_symlink("/usr/bin/python3", "python3.11");
    probe_.keep_changes();
  }

  test::CorpusFileProbe& probe() { return probe_; }

  policy::EngineContext context(const OrderedJson& row, const Json& params) {
    policy::EngineContext out;
    const bool root = row.value("runAs", "user") == "root";
    probe_.uid = root ? 0 : 1500;
    out.running_as_root = root;
    out.files = &probe_;
    out.home = kHome;
    out.host_cwd = kHome;
    out.host_environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin:/var/tmp/ocfix/pathbin"},
                            {"HOME", kHome},
                            {"LANG", "C.UTF-8"}};
    settings(row, params, out.settings);
    return out;
  }

 private:
  void build_fixture() {
    const std::string script = options_.cases + "/decisions-fixture.sh";
    if (std::filesystem::exists(kFixtureRoot)) return;
    const std::string command = "HOME=$(mktemp -d) bash '" + script + "' >/dev/null 2>&1";
    if (std::system(command.c_str()) != 0)
      std::printf("note: the files of the recording could not be made at %s\n", kFixtureRoot);
  }

  static void apply_mode(const std::string& mode, policy::EngineSettings& out) {
    Security security = Security::kFull;
    Ask ask = Ask::kOff;
    if (mode == "deny") security = Security::kDeny;
    if (mode == "allowlist" || mode == "ask" || mode == "auto") security = Security::kAllowlist;
    if (mode == "ask" || mode == "auto") ask = Ask::kOnMiss;
    out.fallback_security = security;
    out.fallback_ask = ask;
  }

  static void apply_block(const Json& exec, policy::EngineSettings& out) {
    if (!exec.is_object()) return;
    if (exec.contains("mode")) apply_mode(exec["mode"].get<std::string>(), out);
    if (exec.contains("security")) {
      out.fallback_security =
          policy::security_from(exec["security"].get<std::string>()).value_or(Security::kFull);
    }
    if (exec.contains("ask"))
      out.fallback_ask = policy::ask_from(exec["ask"].get<std::string>()).value_or(Ask::kOff);
    if (exec.contains("strictInlineEval")) out.strict_inline_eval = exec["strictInlineEval"].get<bool>();
    if (exec.contains("safeBins")) out.safe_bins = exec["safeBins"].get<std::vector<std::string>>();
    if (exec.contains("safeBinTrustedDirs")) {
      out.safe_bin_trusted_dirs = exec["safeBinTrustedDirs"].get<std::vector<std::string>>();
    }
    if (!exec.contains("safeBinProfiles")) return;
    for (const auto& [name, value] : exec["safeBinProfiles"].items()) {
      policy::SafeBinProfile profile;
      if (value.contains("minPositional")) profile.min_positional = value["minPositional"].get<int>();
      if (value.contains("maxPositional")) profile.max_positional = value["maxPositional"].get<int>();
      if (value.contains("allowedValueFlags")) {
        profile.allowed_value_flags = value["allowedValueFlags"].get<std::vector<std::string>>();
      }
      if (value.contains("deniedFlags"))
        profile.denied_flags = value["deniedFlags"].get<std::vector<std::string>>();
      out.safe_bin_profiles[name] = profile;
    }
  }

  void settings(const OrderedJson& row, const Json& params, policy::EngineSettings& out) const {
    out.strictness = options_.strictness;
    // The recorded host falls back to full/off; both settings are compared with the same fallback.
    out.fallback_security = Security::kFull;
    out.fallback_ask = Ask::kOff;
    out.fallback_ask_fallback = Security::kDeny;
    for (const char* name : {"git", "curl", "gh", "jq", "node", "python3", "tmux"}) {
      out.skill_bins.emplace_back(
          name, name == std::string("python3") ? "/usr/bin/python3.11" : std::string("/usr/bin/") + name);
    }
    const Json config = row.contains("nodeConfig") ? to_plain(row["nodeConfig"]) : Json::object();
    const auto exec_of = [](const Json& block) {
      return block.contains("tools") && block["tools"].contains("exec") ? block["tools"]["exec"] : Json();
    };
    apply_block(exec_of(config), out);
    const std::string agent =
        params.is_object() && params.contains("agentId") && params["agentId"].is_string()
            ? to_lower_ascii(trim(params["agentId"].get<std::string>()))
            : "";
    if (config.contains("agents") && config["agents"].contains("entries")) {
      for (const auto& [name, block] : config["agents"]["entries"].items()) {
        if (to_lower_ascii(name) == agent) apply_block(exec_of(block), out);
      }
    }
    out.security_limit = out.fallback_security;
    out.ask_floor = out.fallback_ask;
  }

  const Options& options_;
  test::CorpusFileProbe probe_;
};

// What the recording did to the files between prepare and run.
void change_files(const std::string& note, test::CorpusFileProbe& probe) {
  const std::string script = std::string(kFixtureRoot) + "/work/script.sh";
  const auto has = [&](const char* text) { return note.find(text) != std::string::npos; };
  if (has("script content changed")) probe.add_file(script, "#!/bin/sh\necho changed\n", true, 1500);
  if (has("script removed")) probe.remove(script);
  if (has("script replaced by symlink")) {
    probe.add_file(std::string(kFixtureRoot) + "/work/copy.sh", "#!/bin/sh\necho script \"$@\"\n", true,
                   1500);
    probe.add_symlink(script, "copy.sh");
  }
  if (has("mutable executable changed"))
    probe.add_file(std::string(kFixtureRoot) + "/bin/tool", "#!/bin/sh\necho other\n", true, 1500);
  if (has("cwd directory replaced")) probe.add_directory(std::string(kFixtureRoot) + "/cwdswap", 1500);
  if (has("cwd replaced by symlink")) probe.add_symlink(std::string(kFixtureRoot) + "/cwdswap", "work");
}

std::string outcome_of(Verdict verdict) {
  if (verdict == Verdict::kAllow) return "allowed";
  return verdict == Verdict::kInvalid ? "rejected" : "denied";
}

Outcome compare(const std::string& expected, const std::string& expected_message, const std::string& got,
                const std::string& got_message) {
  if (expected == "allowed") return got == "allowed" ? Outcome::kSame : Outcome::kStricter;
  if (got == "allowed") return Outcome::kLooser;
  if (expected != got) return Outcome::kDifferent;
  const bool same_words = expected_message.empty() || first_line(expected_message) == first_line(got_message);
  return same_words ? Outcome::kSame : Outcome::kOtherText;
}

policy::PolicyDocument document_of(const OrderedJson& approvals, policy::Strictness strictness) {
  Result<policy::PolicyDocument> document = policy::read_document(
      strictness == policy::Strictness::kOfficial ? policy::tolerated_document(approvals) : approvals,
      counting_ids());
  return document ? std::move(*document) : policy::deny_all_document(document.error().message);
}

void store_grants(const policy::RunEvaluation& run, policy::PolicyDocument& document) {
  if (run.grants.empty()) return;
  policy::AgentPolicy& agent = document.agents[run.agent_id];
  for (const policy::GrantToStore& grant : run.grants) {
    policy::AllowlistEntry entry;
    entry.pattern = grant.pattern;
    entry.arg_pattern = grant.arg_pattern;
    entry.allow_always = true;
    agent.allowlist.push_back(std::move(entry));
  }
  document.compiled = nullptr;
}

// What the recording did to the policy between prepare and run.
void change_policy(const std::string& note, policy::PolicyDocument& document) {
  const auto has = [&](const char* text) { return note.find(text) != std::string::npos; };
  OrderedJson json = document.json;
  if (has("allowlist entry removed")) json["agents"] = OrderedJson::object();
  if (note == "ask changed") json["defaults"]["ask"] = "always";
  if (has("security changed to full")) json["defaults"]["security"] = "full";
  if (has("security changed to deny")) json["defaults"]["security"] = "deny";
  if (has("askFallback changed")) json["defaults"]["askFallback"] = "full";
  if (has("autoAllowSkills changed")) json["defaults"]["autoAllowSkills"] = true;
  if (json != document.json) document = document_of(json, policy::Strictness::kHardened);
}

// A `set` that upstream stores although nothing can be read from it is refused here, and the other way round
// nothing is.
Comparison set_row(const OrderedJson& row, policy::PolicyDocument& document) {
  Comparison out;
  const OrderedJson& observed = row["observed"];
  const std::string expected = observed["outcome"].get<std::string>();
  const OrderedJson params = row["invoke"].value("params", OrderedJson());
  const bool hash_problem = observed.value("message", std::string()).find("hash") != std::string::npos ||
                            observed.value("message", std::string()).find("changed") != std::string::npos ||
                            observed.value("message", std::string()).find("paramsJSON") != std::string::npos;
  out.expected = expected;
  if (hash_problem) {
    out.outcome = Outcome::kSkipped;
    return out;
  }
  Result<policy::PolicyDocument> read = policy::read_document(
      params.is_object() ? params.value("file", OrderedJson()) : OrderedJson(), counting_ids());
  out.got = read ? "allowed" : "rejected `" + read.error().message + "`";
  out.what = params.dump();
  if (!read) {
    out.outcome = expected == "allowed" ? Outcome::kStricter : Outcome::kSame;
    out.code = "SET_REFUSED";
    return out;
  }
  document = std::move(*read);
  out.outcome = expected == "allowed" ? Outcome::kSame : Outcome::kLooser;
  return out;
}

Comparison run_row(const OrderedJson& row, const Json& params, World& world,
                   policy::PolicyDocument& document) {
  policy::EngineContext context = world.context(row, params);
  const policy::RunEvaluation run = policy::evaluate_run(params, document, context);
  store_grants(run, document);
  const OrderedJson& observed = row["observed"];
  Comparison out;
  const std::string expected = observed["outcome"].get<std::string>();
  const std::string message = observed.value("message", std::string());
  out.got = outcome_of(run.decision.verdict);
  out.outcome = compare(expected, message, out.got, told(run.decision));
  if (out.got != "allowed") out.got += " `" + first_line(told(run.decision)) + "`";
  out.expected = expected + (message.empty() ? "" : " `" + first_line(message) + "`");
  // Rows that upstream itself should not have allowed count as the same when they are refused.
  if (out.outcome == Outcome::kStricter && row.value("hardening", std::string()) == "diverge")
    out.outcome = Outcome::kSame;
  if (out.outcome == Outcome::kSame && out.got == "allowed" &&
      row.value("hardening", std::string()) == "diverge") {
    out.outcome = Outcome::kLooser;
  }
  out.code = std::string(to_string(run.decision.code)) + " (" + run.decision.explanation + ")";
  return out;
}

// The machine of the recording had programs in other places; what is compared is the policy.
bool names_other_machine(const Json& payload) {
  const std::string text = payload.dump();
  return text.find("<NODE_BIN_DIR>") != std::string::npos || text.find("/node_modules/") != std::string::npos;
}

// A plan of ours: the programs of a text that was understood, or the answer that makes a listed command run.
bool is_plan_of_ours(const policy::PrepareEvaluation& prepared, const Json& params) {
  if (prepared.remember.listed) return true;
  return policy::is_gateway_carrier(command_of(params)) &&
         prepared.payload["execPolicy"]["security"] == "allowlist";
}

Comparison prepare_row(const OrderedJson& row, const Json& params, const OrderedJson& expected_payload,
                       const std::string& expected, const std::string& message, World& world,
                       const policy::PolicyDocument& document) {
  policy::EngineContext context = world.context(row, params);
  const policy::PrepareEvaluation prepared = policy::prepare_run(params, document, context);
  Comparison out;
  out.got = prepared.ok ? "allowed" : "rejected";
  out.outcome = compare(expected, message, out.got, told_at_prepare(prepared));
  out.expected = expected + (message.empty() ? "" : " `" + first_line(message) + "`");
  if (!prepared.ok) out.got += " `" + first_line(told_at_prepare(prepared)) + "`";
  if (prepared.ok && expected == "allowed" && !expected_payload.is_null()) {
    const Json want = to_plain(expected_payload);
    if (names_other_machine(want)) out.outcome = Outcome::kSkipped;
    for (const char* part : {"plan", "execPolicy", "allowAlwaysCoverage"}) {
      if (!want.contains(part) || want[part] == prepared.payload[part]) continue;
      if (out.outcome == Outcome::kSkipped) break;
      if (part == std::string("allowAlwaysCoverage") && !prepared.payload[part]["complete"].get<bool>()) {
        out.outcome = Outcome::kStricter;  // a person is asked more often
        break;
      }
      out.outcome = is_plan_of_ours(prepared, params) ? Outcome::kIntended : Outcome::kDifferent;
      out.expected += " " + want[part].dump();
      out.got += " " + prepared.payload[part].dump();
      break;
    }
  }
  if (out.outcome == Outcome::kLooser && is_plan_of_ours(prepared, params) &&
      prepared.payload["execPolicy"]["security"] != "full") {
    // A question can be asked where upstream cannot ask one; nothing runs by it.
    out.outcome = Outcome::kIntended;
  }
  out.code = to_string(prepared.run.decision.code);
  return out;
}

}  // namespace

Comparisons replay_decisions(const Options& options) {
  Comparisons out;
  World world(options);
  policy::PolicyDocument document = document_of({{"version", 1}}, options.strictness);
  bool set_was_refused = false;
  for (const OrderedJson& row : read_rows(options.cases + "/decisions-observed.jsonl")) {
    world.probe().restore();
    if (row.contains("approvals") && !row["approvals"].is_null())
      document = document_of(row["approvals"], options.strictness);
    const std::string group = row["group"].get<std::string>();
    const std::string id = row["id"].get<std::string>();
    const std::string note = row.value("note", std::string());
    if (!row.contains("approvals") && row["observed"].contains("payload") &&
        row["observed"]["payload"].contains("plan")) {
      // The policy of these rows is known from the snapshot in the answer.
      const OrderedJson& snapshot = row["observed"]["payload"]["plan"]["policySnapshot"];
      document = document_of(
          {{"version", 1}, {"defaults", {{"security", snapshot["security"]}, {"ask", snapshot["ask"]}}}},
          options.strictness);
    }
    const std::string expected = row["observed"]["outcome"].get<std::string>();
    const auto add = [&](Comparison comparison, const std::string& name, const Json& params) {
      comparison.group = name;
      comparison.id = id;
      comparison.what = policy::command_text(command_of(params));
      out.push_back(std::move(comparison));
    };
    const auto skip = [&] { out.push_back({group, id, Outcome::kSkipped, "", "", "", ""}); };
    if (row.contains("prepare") && !row["prepare"].is_null()) {
      if (note.find("cwd") != std::string::npos)
        world.probe().add_directory(std::string(kFixtureRoot) + "/cwdswap", 1500);
      const OrderedJson& prepare = row["prepare"];
      const Json params = to_plain(prepare["params"]);
      const std::string message =
          prepare.contains("error") ? prepare["error"].value("message", std::string()) : "";
      add(prepare_row(row, params, prepare.value("payload", OrderedJson()),
                      prepare.value("ok", false) ? "allowed" : "rejected", message, world, document),
          group + "/prepare", params);
    }
    if (!row.contains("invoke") || row["invoke"].is_null() || expected == "gateway-rejected" ||
        expected == "prepare-rejected") {
      skip();
      continue;
    }
    const std::string command = row["invoke"]["command"].get<std::string>();
    if (command == "system.execApprovals.set") {
      Comparison comparison = set_row(row, document);
      set_was_refused = comparison.code == "SET_REFUSED";
      comparison.group = group;
      comparison.id = id;
      out.push_back(std::move(comparison));
      continue;
    }
    if (group == "set" && set_was_refused) {
      // Upstream now runs with a document that it cannot read; here the old one is still in force.
      skip();
      continue;
    }
    const OrderedJson* source = row.contains("forwardedParams")    ? &row["forwardedParams"]
                                : row["invoke"].contains("params") ? &row["invoke"]["params"]
                                                                   : nullptr;
    if (source == nullptr || (command != "system.run" && command != "system.run.prepare") ||
        (row.contains("via") && !row.contains("forwardedParams")) ||
        (row.contains("via") && !(row.contains("approvals") && !row["approvals"].is_null()))) {
      skip();
      continue;
    }
    const Json params = to_plain(*source);
    change_files(note, world.probe());
    const policy::PolicyDocument before = document;
    if (group == "plan") change_policy(note, document);
    if (command == "system.run") {
      add(run_row(row, params, world, document), group, params);
      if (document.json != before.json) document = before;
    } else {
      add(prepare_row(row, params, row["observed"].value("payload", OrderedJson()), expected,
                      row["observed"].value("message", std::string()), world, document),
          group, params);
    }
  }
  return out;
}

}  // namespace hostclaw::conformance
