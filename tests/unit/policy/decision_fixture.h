// SPDX-License-Identifier: Apache-2.0
// A small machine for decision tests: /usr/bin with a few programs, a user's home, nothing from the disk.
#pragma once

#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "base/json.h"
#include "policy/decide/engine.h"
#include "tests/support/corpus_file_probe.h"

// A failed comparison shows the name of a code.
template <>
struct Catch::StringMaker<hostclaw::policy::DecisionCode> {
  static std::string convert(hostclaw::policy::DecisionCode code) { return std::string(to_string(code)); }
};
template <>
struct Catch::StringMaker<hostclaw::policy::Reason> {
  static std::string convert(hostclaw::policy::Reason reason) { return std::string(facts_of(reason).text); }
};

namespace hostclaw::policy {

struct Machine {
  test::CorpusFileProbe files;
  EngineContext context;
  PolicyDocument document;

  Machine() {
    for (const char* directory : {"/", "/home", "/usr", "/usr/bin", "/opt", "/opt/tools", "/nowhere"})
      files.add_directory(directory);
    files.remove("/nowhere");
    for (const char* name : {"uname", "git", "wc", "head", "dash", "bash", "id", "nice", "timeout", "env",
                             "python3.11", "mawk", "test", "[", "find", "echo", "cat"}) {
      files.add_file(std::string("/usr/bin/") + name,
                     "\x7f"
                     "ELF",
                     true);
    }
    files.add_symlink("/bin", "usr/bin");
    files.add_symlink("/usr/bin/sh", "dash");
    files.add_symlink("/usr/bin/python3", "python3.11");
    files.add_symlink("/usr/bin/awk", "mawk");
    files.add_directory("/home/u", 1500);
    files.add_directory("/home/u/work", 1500);
    files.add_symlink("/home/u/link", "work");
    files.add_file("/home/u/work/script.sh", "#!/bin/sh\necho hi\n", true, 1500);
    files.add_file("/home/u/work/script.py", "print(1)\n", false, 1500);
    files.add_file("/home/u/work/evil", "#!/bin/sh\n", true, 1500);
    files.add_file("/home/u/work/sh", "#!/bin/sh\n", true, 1500);
    files.own_prefixes = {"/home/u"};
    context.files = &files;
    context.home = "/home/u";
    context.host_cwd = "/home/u";
    context.host_environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", "/home/u"}, {"LANG", "C.UTF-8"}};
    policy("allowlist", "on-miss");
  }

  // The document: defaults and the allowlist of agent main.
  void policy(const std::string& security, const std::string& ask, OrderedJson list = OrderedJson::array()) {
    document = read({{"version", 1},
                     {"defaults", {{"security", security}, {"ask", ask}}},
                     {"agents", {{"main", {{"allowlist", std::move(list)}}}}}});
  }
  void list(std::initializer_list<const char*> patterns) {
    OrderedJson entries = OrderedJson::array();
    for (const char* pattern : patterns) entries.push_back({{"pattern", pattern}});
    policy("allowlist", "on-miss", std::move(entries));
  }
  static PolicyDocument read(const OrderedJson& file) {
    int next = 0;
    Result<PolicyDocument> document = read_document(file, [&next] { return "id-" + std::to_string(++next); });
    return document ? *document : deny_all_document(document.error().message);
  }

  static Json request(const std::vector<std::string>& command) {
    return {{"command", command}, {"agentId", "main"}, {"cwd", "/home/u/work"}};
  }
  RunEvaluation run(const std::vector<std::string>& command) { return decide(request(command)); }
  RunEvaluation decide(const Json& params) { return evaluate_run(params, document, context); }
  // TEXT as the gateway sends it.
  static Json carried(const std::string& text) {
    Json params = request({"/bin/sh", "-lc", text});
    params["rawCommand"] = text;
    return params;
  }
  RunEvaluation text(const std::string& value) { return decide(carried(value)); }
};

inline std::vector<std::vector<std::string>> spawned(const RunEvaluation& run) {
  std::vector<std::vector<std::string>> out;
  for (const PlannedPipeline& pipeline : run.plan.pipelines) {
    for (const PlannedCommand& command : pipeline.commands) out.push_back(command.argv);
  }
  return out;
}

inline std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace hostclaw::policy
