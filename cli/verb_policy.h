// SPDX-License-Identifier: Apache-2.0
// What the files of `hostclaw policy` share.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "approvals/policy/rule_store.h"
#include "cli/command_line.h"
#include "policy/decide/engine.h"
#include "policy/lint/lint.h"
#include "policy/rules/rules.h"

namespace hostclaw::cli {

void add_policy_rules(CLI::App& policy, Action& action);
void add_policy_template(CLI::App& policy, Action& action);
void add_policy_file(CLI::App& policy, Action& action);
void add_policy_script(CLI::App& policy, Action& action);
void add_policy_suggest(CLI::App& policy, Action& action);

// The policy and the settings as a node would use them; those of a fresh node where nothing is stored.
struct InForce {
  std::unique_ptr<approvals::Store> store;  // null: nothing is stored yet
  std::shared_ptr<const policy::PolicyDocument> document;
  policy::EngineSettings settings;
};
Result<InForce> read_policy();
// As a node on this machine has it.
policy::EngineContext check_context(const policy::EngineSettings& settings, policy::FileProbe& files);

// A command to be judged: `argv`, or text as an agent writes it.
struct CheckRequest {
  std::vector<std::string> argv;
  std::optional<std::string> shell_text;
  std::string agent = "main";
  std::string session;
  std::string cwd;  // empty: this one
};
Json request_params(const CheckRequest& request);
// What the gateway does with it, and this node then; kDone when it runs unasked.
int check_via_gateway(const CheckRequest& request, const InForce& in_force, bool json);

// Patterns are no shell words: they are split at blanks, and quotes mean nothing.
std::vector<std::string> split_patterns(const std::string& text);

// "warning: ..." and what to do instead, on stderr.
void note_findings(const std::vector<policy::LintFinding>& findings);

// The stored rules; none where nothing is stored yet. Creates nothing.
Result<std::vector<approvals::StoredRule>> read_rules();

// `allow git-fetch  git fetch ...  in /srv/app  agent main`, for a list; safe for a terminal.
std::string rule_line(const policy::Rule& rule);

// Opens the store for writing, changes it, prints what `change` answers and what is wrong with the rules
// afterwards.
int change_rules(bool json, const std::function<Result<std::string>(approvals::Store&)>& change,
                 approvals::OpenMode mode = approvals::OpenMode::kReadWrite);

// The directory with symlinks resolved; `what` names the option in the error (CONFIG_INVALID).
Result<std::string> existing_directory(const std::string& path, const std::string& what);

// Asks at the terminal; false unless the answer is yes. Requires: Terminal::available().
bool confirmed(const std::string& question);

}  // namespace hostclaw::cli
