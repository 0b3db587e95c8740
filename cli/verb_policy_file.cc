// SPDX-License-Identifier: Apache-2.0
// hostclaw policy export | apply | test: a policy as a file, and examples that must come out as they say.
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/policy_file.h"
#include "cli/question_text.h"
#include "cli/verb_policy.h"
#include "node-host/system/files/file_handles.h"
#include "node-host/system/host/host_facts.h"
#include "policy/decide/engine.h"
#include "policy/request/command_text.h"

namespace hostclaw::cli {
namespace {

struct FileFlags {
  std::string file;
  bool check = false;
  bool json = false;
};

// Null where nothing is stored yet.
Result<std::unique_ptr<approvals::Store>> existing_store() {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store && store.error().code == "STORE_NOT_FOUND") return std::unique_ptr<approvals::Store>();
  return store;
}

int export_policy(const FileFlags& flags) {
  auto store = existing_store();
  if (!store) return fail(store.error(), flags.json);
  const auto stored = stored_policy(store->get());
  if (!stored) return fail(stored.error(), flags.json);
  print_line(to_json(*stored).dump(2));
  return kDone;
}

// ---- apply

void print_difference(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) print_line(for_terminal(line));
}

int report_difference(const FileFlags& flags, const std::vector<std::string>& lines, bool applied) {
  if (flags.json) {
    print_json(Json{{"ok", true}, {"changed", applied}, {"difference", lines}});
  } else if (lines.empty()) {
    note("the policy is as the file says");
  } else if (applied) {
    note("applied; it holds from the next command on");
  } else {
    note("not applied; next: hostclaw policy apply " + policy::command_text({flags.file}));
  }
  return kDone;
}

int apply(const FileFlags& flags) {
  auto text = read_input(flags.file);
  if (!text) return fail(text.error(), flags.json);
  const auto wanted = read_policy_file(*text);
  if (!wanted) return fail(wanted.error(), flags.json);
  std::vector<std::string> lines;
  {
    auto store = existing_store();
    if (!store) return fail(store.error(), flags.json);
    const auto stored = stored_policy(store->get());
    if (!stored) return fail(stored.error(), flags.json);
    lines = policy_difference(*stored, *wanted);
  }
  if (!flags.json) print_difference(lines);
  if (lines.empty() || flags.check) {
    report_difference(flags, lines, false);
    return lines.empty() ? kDone : kUsage;
  }
  auto store = open_store(approvals::OpenMode::kReadWrite);
  if (!store) return fail(store.error(), flags.json);
  if (auto applied = apply_policy(**store, *wanted); !applied) return fail(applied.error(), flags.json);
  return report_difference(flags, lines, true);
}

// ---- test

struct Example {
  Json params;
  std::string shown;
  std::string expected;
  std::string why;
};

Error invalid_example(std::size_t index, const std::string& what) {
  return make_error("POLICY_TESTS_INVALID", "tests[" + std::to_string(index) + "]: " + what);
}

Result<Example> read_example(const Json& value, std::size_t index) {
  if (!value.is_object()) return invalid_example(index, "must be an object");
  Example out;
  CheckRequest request;
  for (const auto& [name, item] : value.items()) {
    const bool words = name == "command" && item.is_array();
    if (!words && !item.is_string()) return invalid_example(index, name + " must be a text");
    if (words) {
      for (const Json& word : item) {
        if (!word.is_string()) return invalid_example(index, "command must be a text or an array of texts");
        request.argv.push_back(word.get<std::string>());
      }
    } else if (name == "command") {
      request.shell_text = item.get<std::string>();
    } else if (name == "cwd") {
      request.cwd = item.get<std::string>();
    } else if (name == "agent") {
      request.agent = item.get<std::string>();
    } else if (name == "expect") {
      out.expected = item.get<std::string>();
    } else if (name == "why") {
      out.why = item.get<std::string>();
    } else {
      return invalid_example(index, name + " is not known; it may have command, cwd, agent, expect and why");
    }
  }
  if (request.argv.empty() && !request.shell_text) return invalid_example(index, "command is missing");
  if (out.expected != "allow" && out.expected != "ask" && out.expected != "deny")
    return invalid_example(index, "expect must be allow, ask or deny");
  out.shown = request.shell_text ? *request.shell_text : policy::command_text(request.argv);
  out.params = request_params(request);
  return out;
}

Result<std::vector<Example>> read_examples(const std::string& text) {
  const auto json = parse_json(text);
  if (!json) return json.error();
  const Json* list = &*json;
  if (json->is_object() && json->contains("tests")) list = &(*json)["tests"];
  if (!list->is_array() || list->empty())
    return make_error("POLICY_TESTS_INVALID",
                      "expected {\"tests\": [{command, cwd, agent, expect}]} with an example at least");
  std::vector<Example> out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    auto example = read_example((*list)[i], i);
    if (!example) return example.error();
    out.push_back(std::move(*example));
  }
  return out;
}

// What a node that only observes would have decided.
const policy::Decision& decision_of(const policy::RunEvaluation& evaluation) {
  return evaluation.would_have ? *evaluation.would_have : evaluation.decision;
}

int test(const FileFlags& flags) {
  auto text = read_input(flags.file);
  if (!text) return fail(text.error(), flags.json);
  const auto examples = read_examples(*text);
  if (!examples) return fail(examples.error(), flags.json);
  auto in_force = read_policy();
  if (!in_force) return fail(in_force.error(), flags.json);
  Json failed = Json::array();
  for (const Example& example : *examples) {
    node_host::OpenedFiles files;
    const auto evaluation =
        policy::evaluate_run(example.params, *in_force->document, check_context(in_force->settings, files));
    const policy::Decision& decision = decision_of(evaluation);
    const std::string verdict(policy::to_string(decision.verdict));
    if (verdict == example.expected) continue;
    failed.push_back({{"command", example.shown},
                      {"expected", example.expected},
                      {"verdict", verdict},
                      {"code", decision.code},
                      {"reason", decision.explanation},
                      {"rules", evaluation.rules}});
    if (flags.json) continue;
    print_line("FAILED  " + for_terminal(example.shown));
    print_line("        expected " + verdict_in_colour(example.expected, example.expected) + ", is " +
               verdict_in_colour(verdict, verdict) + "  " + std::string(to_string(decision.code)));
    if (!decision.explanation.empty()) print_line("        " + for_terminal(decision.explanation));
    if (!example.why.empty()) print_line("        because: " + for_terminal(example.why));
  }
  if (flags.json) {
    print_json(Json{{"ok", failed.empty()}, {"tests", examples->size()}, {"failed", failed}});
  } else {
    note(std::to_string(examples->size() - failed.size()) + " of " + std::to_string(examples->size()) +
         (examples->size() == 1 ? " example comes" : " examples come") + " out as expected");
  }
  return failed.empty() ? kDone : kFailed;
}

}  // namespace

void add_policy_file(CLI::App& policy, Action& action) {
  const auto flags = std::make_shared<FileFlags>();
  const auto verb = [&](const char* name, const char* about, int (*run)(const FileFlags&)) {
    CLI::App* app = policy.add_subcommand(name, about);
    app->add_flag("--json", flags->json, "Print JSON");
    app->callback([&action, flags, run] { action = [flags, run] { return run(*flags); }; });
    return app;
  };
  verb("export", "The whole policy as JSON: rules, switches and lists; apply reads it", export_policy);
  CLI::App* apply_verb =
      verb("apply", "Make the policy what a file says, all of it or nothing; shows the difference", apply);
  apply_verb->add_option("file", flags->file, "JSON as export writes it; - for standard input")->required();
  apply_verb->add_flag("--check", flags->check, "Change nothing; exit 2 when there is a difference");
  verb("test", "Compare the verdicts of examples with what they should be; exit 1 when one differs", test)
      ->add_option("file", flags->file,
                   "JSON {\"tests\": [{command, cwd, agent, expect}]}; - for standard input")
      ->required();
}

}  // namespace hostclaw::cli
