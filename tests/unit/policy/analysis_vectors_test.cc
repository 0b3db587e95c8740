// SPDX-License-Identifier: Apache-2.0
// Replays recorded inputs of the official host against the analysis. Where we differ on purpose the row's id
// stands in a list below with its reason; every other difference is a failure. Skips, and says so, where the
// cases are absent.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "policy/programs/dispatch_wrappers.h"
#include "policy/programs/inline_eval.h"
#include "policy/programs/safe_bins.h"
#include "policy/programs/wrappers.h"
#include "policy/shell/shell_text.h"
#include "policy/windows/windows_text.h"

using namespace hostclaw;
using namespace hostclaw::policy;

namespace {

std::string cases_folder() {
  const char* configured = std::getenv("HOSTCLAW_CASES");
  return configured != nullptr ? configured : std::string(HOSTCLAW_SOURCE_DIR) + "/../shared/contract/cases";
}

// They are no part of the project: where CI has them, their absence is a failure (tests/cases/README.md).
void skipped(const std::string& name) {
  const std::string what = "no cases at " + cases_folder() + "/" + name + " (set HOSTCLAW_CASES)";
  const char* required = std::getenv("HOSTCLAW_REQUIRE_CASES");
  if (required != nullptr && std::string(required) == "1") FAIL(what);
  WARN("skipped: " << what);
}

std::vector<Json> read_rows(const std::string& name) {
  std::ifstream file(cases_folder() + "/" + name);
  std::vector<Json> rows;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) rows.push_back(Json::parse(line));
  }
  if (rows.empty()) skipped(name);
  return rows;
}

Json read_document(const std::string& name) {
  std::ifstream file(cases_folder() + "/" + name);
  Json document = Json::parse(file, nullptr, false);
  if (document.is_discarded()) {
    skipped(name);
    return Json::object({{"cases", Json::array()}});
  }
  return document;
}

Argv argv_of(const Json& input, const char* member = "argv") { return input.at(member).get<Argv>(); }

// Answers per function; nullopt when the function has no counterpart here.
std::optional<Json> answer(const std::string& function, const Json& input) {
  if (function == "normalizeExecutableToken")
    return Json(executable_token(input.at("token").get<std::string>()));
  if (function == "isShellWrapperExecutable") {
    return Json(shell_family(executable_token(input.at("token").get<std::string>())) != ShellFamily::kNone);
  }
  if (function == "isDispatchWrapperExecutable") {
    return Json(unwrap_dispatch({input.at("token").get<std::string>(), "x"}, true).kind !=
                WrapperStep::Kind::kNotAWrapper);
  }
  if (function == "extractEnvAssignmentKeysFromDispatchWrappers")
    return Json(env_assignment_keys(argv_of(input)));
  if (function == "unwrapEnvInvocation") {
    const WrapperStep step = unwrap_dispatch(argv_of(input), false);
    return step.inner.empty() ? Json() : Json(step.inner);
  }
  if (function == "unwrapKnownDispatchWrapperInvocation" ||
      function == "unwrapKnownShellMultiplexerInvocation") {
    const bool dispatch = function == "unwrapKnownDispatchWrapperInvocation";
    const Argv argv = argv_of(input);
    const WrapperStep step = dispatch ? unwrap_dispatch(argv, false) : unwrap_multiplexer(argv);
    if (step.kind == WrapperStep::Kind::kNotAWrapper) return Json{{"kind", "not-wrapper"}};
    const std::string name = executable_token(argv.front());
    if (step.kind == WrapperStep::Kind::kUnwrapped) {
      return Json{{"kind", "unwrapped"}, {"wrapper", name}, {"argv", step.inner}};
    }
    return Json{{"kind", "blocked"}, {"wrapper", name}};
  }
  if (function == "resolveDispatchWrapperTrustPlan" && !input.contains("maxDepth")) {
    const UnwrappedCommand command = unwrap_command(argv_of(input));
    return Json{{"policyBlocked", command.blocked}, {"argv", command.argv}};
  }
  if (function == "extractShellWrapperInlineCommand") {
    const auto wrapper = find_shell_wrapper(argv_of(input), RawCommandForm::kAbsent, Platform::kPosix);
    if (!wrapper || !wrapper->invocation.payload) return Json();
    return Json(*wrapper->invocation.payload);
  }
  if (function == "resolvePowerShellInlineCommandMatch") {
    const auto shell = read_shell_invocation(argv_of(input));
    Json result = {{"command", Json()}, {"valueTokenIndex", Json()}};
    if (shell && shell->payload) {
      result["command"] = *shell->payload;
      result["valueTokenIndex"] = shell->payload_index;
    }
    return result;
  }
  if (function == "detectInlineEvalArgv" || function == "detectInterpreterInlineEvalArgv") {
    const auto hit = inline_eval_hit(argv_of(input));
    if (!hit) return Json();
    std::string flag = hit->form;
    if (flag == "inline program") flag = "<program>";
    if (flag == "inline command") flag = "<command>";
    return Json{{"normalizedExecutable", hit->name}, {"flag", flag}};
  }
  if (function == "isInterpreterLikeSafeBin") {
    const std::string token = executable_token(input.at("raw").get<std::string>());
    return Json(is_interpreter_like(token) || is_multiplexer(token));
  }
  if (function == "validateSafeBinArgv") {
    const Json& profile = input.at("profile");
    const auto list = [&](const char* member) { return profile.value(member, std::vector<std::string>()); };
    const auto number = [&](const char* member) {
      return profile.contains(member) ? std::optional<int>(profile.at(member).get<int>()) : std::nullopt;
    };
    SafeBinRules rules = configured_safe_bin_rules(number("minPositional"), number("maxPositional"),
                                                   list("allowedValueFlags"), list("deniedFlags"));
    rules.boolean_flags = list("allowedBooleanFlags");
    const auto arguments = argv_of(input, "args");
    const std::string name = input.value("options", Json::object()).value("binName", std::string("tool"));
    return Json(check_safe_bin_arguments(name, rules, arguments, Strictness::kOfficial).ok);
  }
  if (function == "analyzeWindowsShellCommand") {
    const WindowsTextResult result = parse_windows_text(input.at("command").get<std::string>());
    Json found = {{"ok", static_cast<bool>(result)}};
    if (result) found["argv"] = *result.argv;
    return found;
  }
  if (function == "isWindowsBatchCommand")
    return Json(is_batch_target(input.at("resolvedCommand").get<std::string>()));
  return std::nullopt;
}

// The part of the official answer that the analysis answers too.
Json comparable(const std::string& function, const Json& expected) {
  if (function == "resolveDispatchWrapperTrustPlan") {
    return Json{{"policyBlocked", expected.at("policyBlocked")}, {"argv", expected.at("argv")}};
  }
  if ((function == "detectInlineEvalArgv" || function == "detectInterpreterInlineEvalArgv") &&
      expected.is_object()) {
    return Json{{"normalizedExecutable", expected.at("normalizedExecutable")}, {"flag", expected.at("flag")}};
  }
  if (function == "analyzeWindowsShellCommand") {
    Json found = {{"ok", expected.at("ok")}};
    if (expected.at("ok").get<bool>()) found["argv"] = expected.at("segments").at(0).at("argv");
    return found;
  }
  return expected;
}

void replay(const std::string& name, const std::map<std::string, std::string>& intended) {
  std::size_t compared = 0;
  std::size_t same = 0;
  for (const Json& row : read_rows(name)) {
    const std::string function = row.at("fn").get<std::string>();
    const std::string id = row.at("id").get<std::string>();
    const std::optional<Json> ours = answer(function, row.at("input"));
    if (!ours || !row.value("verified_2026_9_6", true)) continue;
    ++compared;
    const Json expected = comparable(function, row.at("expected"));
    if (*ours == expected) {
      ++same;
      continue;
    }
    INFO(id << " " << function << " " << row.at("input").dump() << "\n  official " << expected.dump()
            << "\n  ours     " << ours->dump());
    CHECK(intended.count(id) == 1);
  }
  if (compared > 0) CHECK(same * 100 >= compared * 95);
}

}  // namespace

TEST_CASE("recorded wrapper resolutions are answered alike") {
  replay("upstream/04-wrapper-resolution.jsonl", {});
}

TEST_CASE("recorded safe-bin validations are answered alike") { replay("upstream/06-safe-bins.jsonl", {}); }

TEST_CASE("recorded Windows texts are answered alike") { replay("upstream/11-windows-shell.jsonl", {}); }

TEST_CASE("recorded inline-eval detections are answered alike") {
  replay("upstream/13-inline-eval-risks.jsonl", {});
}

TEST_CASE("the shell parser agrees with the parity fixture") {
  const Json document = read_document("openclaw-fixtures/exec-allowlist-shell-parser-parity.json");
  for (const Json& row : document.at("cases")) {
    const std::string text = row.at("command").get<std::string>();
    INFO(text);
    const ShellTextResult result = parse_shell_text(text);
    CHECK(static_cast<bool>(result) == row.at("ok").get<bool>());
    std::vector<std::string> executables;
    if (result) {
      for (const ShellPipeline& pipeline : result.program->pipelines) {
        for (const ShellCommand& command : pipeline.commands)
          executables.push_back(command.words.front().value);
      }
    }
    CHECK(executables == row.at("executables").get<std::vector<std::string>>());
  }
}

TEST_CASE("wrapper resolution agrees with the parity fixture") {
  const Json document = read_document("openclaw-fixtures/exec-wrapper-resolution-parity.json");
  for (const Json& row : document.at("cases")) {
    INFO(row.at("id").get<std::string>());
    CHECK(unwrap_command(row.at("argv").get<Argv>()).argv.front() ==
          row.at("expectedRawExecutable").get<std::string>());
  }
}

TEST_CASE("recorded quotings of batch arguments are answered alike") {
  for (const Json& row : read_rows("openclaw-data/windows-cmd-quoting.jsonl")) {
    if (row.at("fn") != "buildWindowsCmdExeCommandLine") continue;
    Argv argv = {row.at("input").at("command").get<std::string>()};
    for (const Json& argument : row.at("input").at("args")) argv.push_back(argument.get<std::string>());
    const auto line = batch_command_line(argv, false);
    INFO(row.dump());
    REQUIRE(line.has_value() == row.at("expected").at("ok").get<bool>());
    if (line) CHECK(*line == row.at("expected").at("commandLine").get<std::string>());
  }
}

TEST_CASE("no text that the official host could not read is analysable") {
  for (const Json& row : read_rows("upstream/03-shell-plan.jsonl")) {
    const std::string function = row.at("fn").get<std::string>();
    const bool plan = function == "planShellAuthorization";
    if ((!plan && function != "explainShellCommand") || row.at("expected").value("ok", true)) continue;
    // Its inner text is broken, not the command itself; the shell it names then needs an entry of its own.
    if (row.at("id") == "03-shell-plan/0044") continue;
    const std::string text = row.at("input").value(plan ? "command" : "source", std::string());
    INFO(row.at("id") << " " << text);
    CHECK_FALSE(parse_shell_text(text));
  }
}
