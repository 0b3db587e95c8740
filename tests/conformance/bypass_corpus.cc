// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "policy/request/command_text.h"
#include "tests/conformance/replay.h"

namespace hostclaw::conformance {
namespace {

using policy::Verdict;

constexpr const char* kBypassRoot = "/var/tmp/hostclaw-bypass";

std::string with_bypass_folders(std::string text) {
  const std::pair<const char*, std::string> names[] = {{"${BIN}", std::string(kBypassRoot) + "/bin"},
                                                       {"${EVIL}", std::string(kBypassRoot) + "/evil"},
                                                       {"${OPT}", std::string(kBypassRoot) + "/opt/tools"},
                                                       {"${WORK}", std::string(kBypassRoot) + "/work"},
                                                       {"${WINBIN}", std::string(kBypassRoot) + "/winbin"}};
  for (const auto& [name, value] : names) {
    for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name)) {
      text.replace(at, std::string(name).size(), value);
    }
  }
  return text;
}

Json placed_json(const OrderedJson& value) {
  Result<Json> out = parse_json(with_bypass_folders(dump_json(value)));
  return out ? std::move(*out) : Json();
}

void lay_out(test::CorpusFileProbe& probe, const std::vector<OrderedJson>& rows) {
  probe.own_prefixes = {kBypassRoot};
  const auto program = [&](const std::string& path) {
    probe.add_file(path,
                   "\x7f"
                   "ELF",
                   true, 1500);
  };
  for (const char* directory :
       {"", "/bin", "/evil", "/opt", "/opt/tools", "/opt/tools/sub", "/opt/evil", "/work", "/winbin"}) {
    probe.add_directory(std::string(kBypassRoot) + directory, 1500);
  }
  const std::string root = kBypassRoot;
  for (const char* path :
       {"/evil/git", "/evil/head", "/opt/tools/safe", "/opt/tools/sub/safe2", "/work/git", "/work/head"}) {
    program(root + path);
  }
  probe.add_symlink(root + "/opt/tools/linksh", "/bin/sh");
  probe.add_symlink(root + "/evil/gitlink", "/usr/bin/id");
  probe.add_symlink(root + "/work/usrbin", "/usr/bin");
  probe.add_symlink(root + "/work/goodlink", "/usr/bin/git");
  for (const char* name : {"git", "find", "sort", "env", "timeout", "nohup", "stdbuf", "bash", "dash",
                           "split", "tee", "date", "cp"}) {
    const std::string path = std::string("/usr/bin/") + name;
    if (!std::filesystem::exists(path))
      probe.add_file(path,
                     "\x7f"
                     "ELF",
                     true);
  }
  // Every ${BIN} and ${WINBIN} program that an entry names exists.
  for (const OrderedJson& row : rows) {
    for (const OrderedJson& entry : row["allowlist"]) {
      const std::string pattern = with_bypass_folders(entry.value("pattern", std::string()));
      if (pattern.starts_with(root + "/bin/") || pattern.starts_with(root + "/winbin/")) program(pattern);
    }
  }
}

Comparison judge(const OrderedJson& row, const Options& options, test::CorpusFileProbe& probe) {
  Comparison out;
  out.group = row["category"].get<std::string>() + " " + row["strictness"].get<std::string>();
  out.id = row["id"].get<std::string>();
  if (!row.contains("command")) {
    out.outcome = Outcome::kSkipped;
    return out;
  }
  const bool windows = row["platform"] == "win32";
  policy::EngineContext context;
  context.platform = windows ? policy::Platform::kWindows : policy::Platform::kPosix;
  context.settings.strictness = options.strictness;
  context.files = &probe;
  const std::string root = kBypassRoot;
  context.home = root + "/work";
  context.host_cwd = root + "/work";
  std::string path = windows ? root + "/winbin" : root + "/bin:/usr/local/bin:/usr/bin:/bin";
  if (row.contains("process_path")) path = with_bypass_folders(row["process_path"].get<std::string>());
  context.host_environment = {{"PATH", path}, {"HOME", context.home}};
  const std::string cwd =
      row.contains("cwd") ? with_bypass_folders(row["cwd"].get<std::string>()) : root + "/work";
  Json params = {{"command", placed_json(row["command"])}, {"agentId", "main"}, {"cwd", cwd}};
  if (row.contains("env")) params["env"] = placed_json(row["env"]);
  if (row.contains("rawCommand")) params["rawCommand"] = row["rawCommand"].get<std::string>();
  if (windows && row["category"] == "win-argv0") probe.add_file(root + "/work/git.exe", "MZ", true, 1500);

  OrderedJson file = {{"version", 1}, {"defaults", {{"security", "allowlist"}, {"ask", "off"}}}};
  file["agents"]["main"]["allowlist"] = OrderedJson::parse(with_bypass_folders(dump_json(row["allowlist"])));
  Result<policy::PolicyDocument> document = policy::read_document(file, counting_ids());
  const policy::RunEvaluation run = policy::evaluate_run(
      params, document ? *document : policy::deny_all_document(document.error().message), context);
  if (windows) probe.restore();

  const std::string expected = row["hardened_expected"].get<std::string>();
  const bool may_run = expected.starts_with("allow");
  const bool runs = run.decision.verdict == Verdict::kAllow;
  const bool official_runs = row["official"] == "allow";
  out.expected = expected;
  out.got = std::string(policy::to_string(run.decision.verdict));
  out.code = to_string(run.decision.code);
  out.what = policy::command_text(command_of(params)) + " | " + row["what"].get<std::string>();
  if (options.strictness == policy::Strictness::kOfficial) {
    // Tolerance is measured against what the official host did.
    out.outcome = runs == official_runs ? Outcome::kSame : runs ? Outcome::kLooser : Outcome::kStricter;
  } else {
    out.outcome = runs == may_run ? Outcome::kSame : runs ? Outcome::kLooser : Outcome::kStricter;
  }
  if (runs && expected == "allow-exact-argv") {
    const auto& commands = run.plan.pipelines.front().commands;
    if (commands.front().argv != run.argv) out.outcome = Outcome::kLooser;
  }
  return out;
}

}  // namespace

Comparisons replay_bypass(const Options& options) {
  Comparisons out;
  const std::vector<OrderedJson> rows = read_rows(options.cases + "/bypass-corpus.jsonl");
  test::CorpusFileProbe probe;
  lay_out(probe, rows);
  probe.keep_changes();
  for (const OrderedJson& row : rows) out.push_back(judge(row, options, probe));
  return out;
}

}  // namespace hostclaw::conformance
