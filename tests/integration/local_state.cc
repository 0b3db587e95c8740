// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/local_state.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "base/clock.h"

namespace hostclaw::integration {

LocalState::LocalState() {
  auto opened = approvals::Store::open(directory.path() + "/state", approvals::OpenMode::kReadWrite);
  if (!opened) FAIL(opened.error().message);
  store = std::move(*opened);
  questions = std::make_unique<approvals::Questions>(*store);
}

Environment LocalState::environment() const {
  const char* path = std::getenv("PATH");
  return {{"PATH", path ? path : "/usr/bin:/bin"},
          {"HOME", directory.path()},
          {"TERM", "xterm"},
          {"HOSTCLAW_STATE_DIR", directory.path() + "/state"}};
}

Finished LocalState::hostclaw(const std::vector<std::string>& arguments) const {
  HostProcess process(hostclaw_program(), arguments, environment());
  const std::optional<Finished> finished = process.wait_exit(std::chrono::seconds(60));
  REQUIRE(finished.has_value());
  return *finished;
}

Json LocalState::json(std::vector<std::string> arguments, int status) const {
  arguments.push_back("--json");
  const Finished finished = hostclaw(arguments);
  INFO(finished.standard_output << finished.standard_error);
  REQUIRE(finished.status == status);
  return Json::parse(finished.standard_output);
}

approvals::NewQuestion LocalState::git_push(const std::string& key) {
  approvals::NewQuestion question;
  question.key = key;
  question.agent_id = "main";
  question.session_key = "agent:main:main";
  question.run_id = "run-1";
  question.shown_text = "git push origin main";
  question.command_text = "git push origin main";
  question.commands = {{"/usr/bin/git", {"git", "push", "origin", "main"}}};
  question.cwd = "/srv/project";
  question.details = {{"risks", {"writes to another machine"}}};
  question.deadline_ms = unix_ms_now() + 600'000;
  question.caller_deadline_ms = question.deadline_ms;
  return question;
}

std::string LocalState::ask(const approvals::NewQuestion& question) {
  auto asked = questions->ask(question, unix_ms_now());
  if (!asked) FAIL(asked.error().message);
  return asked->question.id;
}

}  // namespace hostclaw::integration
