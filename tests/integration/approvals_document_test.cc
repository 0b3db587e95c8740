// SPDX-License-Identifier: Apache-2.0
// docs/approvals.md and docs/audit.md: every `hostclaw ...` line of its ```sh blocks is run, in order, with
// one fresh state. A line must end with the exit status that its comment names ("# exit 1: ..."), else with
// 0, and with the verdict that it names ("# exit 1, deny"). QUESTION stands for a question that is open,
// GRANT for the newest grant.
#include <catch2/catch.hpp>
#include <fstream>
#include <regex>

#include "approvals/audit/audit_chain.h"
#include "node-host/app/node_config.h"
#include "node-host/record/audit_signing.h"
#include "tests/integration/local_state.h"
#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

std::vector<std::string> document_commands(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> commands;
  bool inside = false;
  for (std::string text; std::getline(in, text);) {
    if (text.starts_with("```")) {
      inside = text == "```sh";
    } else if (inside && text.starts_with("hostclaw ")) {
      // A line that ends with a backslash goes on.
      std::string more;
      while (text.ends_with('\\') && std::getline(in, more)) text = text.substr(0, text.size() - 1) + more;
      commands.push_back(text);
    }
  }
  return commands;
}

std::string replaced(const std::string& text, const std::string& word, const std::string& by) {
  return std::regex_replace(text, std::regex("\\b" + word + "\\b"), by);
}

void run_commands_of(const std::string& document, LocalState& state) {
  Environment environment = state.environment();
  const std::string program = hostclaw_program();
  environment["PATH"] = program.substr(0, program.rfind('/')) + ":" + environment["PATH"];
  const auto commands = document_commands(std::string(HOSTCLAW_SOURCE_DIR) + "/docs/" + document);
  REQUIRE(commands.size() > 15);
  int asked = 0;
  for (std::string command : commands) {
    const std::string as_written = command;
    if (command.find("QUESTION") != std::string::npos) {
      command = replaced(command, "QUESTION",
                         state.ask(LocalState::git_push("document-" + std::to_string(++asked))));
    }
    if (command.find("GRANT") != std::string::npos) {
      const auto grants = state.questions->grants({}, 0);
      REQUIRE(grants.has_value());
      REQUIRE_FALSE(grants->empty());
      command = replaced(command, "GRANT", grants->front().id.substr(0, 8));
    }
    int expected = 0;
    std::smatch named;
    if (std::regex_search(command, named, std::regex("# exit ([0-9]+)"))) expected = std::stoi(named[1]);
    HostProcess process("/bin/sh", {"-c", "cd \"$HOME\" && " + command}, environment);
    const auto finished = process.wait_exit(kPatience);
    REQUIRE(finished.has_value());
    INFO(as_written << "\n" << finished->standard_output << finished->standard_error);
    CHECK(finished->status == expected);
    if (std::regex_search(command, named, std::regex("# exit [0-9]+, (allow|ask|deny)")))
      CHECK(finished->standard_output.find("\n" + named[1].str() + "  ") != std::string::npos);
  }
}

}  // namespace

TEST_CASE("the commands of docs/approvals.md do what the document says") {
  LocalState state;
  run_commands_of("approvals.md", state);
}

TEST_CASE("the commands of docs/audit.md do what the document says") {
  LocalState state;
  // A node that ran before: its key signs.
  const auto identity = node_host::load_identity(*state.store, true);
  REQUIRE(identity.has_value());
  approvals::AuditOptions options;
  options.signer = node_host::audit_signer(*identity);
  REQUIRE(approvals::AuditChain(*state.store, options).append("stop", {{"why", "asked to"}}).has_value());
  run_commands_of("audit.md", state);
  CHECK(state.json({"audit", "retention", "show"})["keep"].empty());
  CHECK(state.json({"audit", "mirror", "show"})["mirrors"].empty());
}

}  // namespace hostclaw::integration
