// SPDX-License-Identifier: Apache-2.0
// Questions in a store of their own, and the answers that tests give.
#pragma once

#include "approvals/audit/audit_chain.h"
#include "approvals/questions/questions.h"
#include "support.h"

namespace hostclaw::approvals::testing {

using Decision = Answer::Decision;

inline NewQuestion git_question(const std::string& key = "key-1") {
  NewQuestion question;
  question.key = key;
  question.agent_id = "main";
  question.session_key = "agent:main:main";
  question.run_id = "run-1";
  question.invoke_id = "invoke-1";
  question.shown_text = "git push";
  question.command_text = "git push";
  question.commands = {{"/usr/bin/git", {"git", "push"}}};
  question.cwd = "/srv/project";
  question.details = {{"risk", "writes to a remote"}};
  question.deadline_ms = 10'000;
  question.caller_deadline_ms = 5'000;
  return question;
}

inline GrantRequest git_request(const std::string& key = "key-1") {
  const NewQuestion question = git_question(key);
  return {question.key, question.agent_id, question.session_key, question.cwd, question.commands};
}

inline Answer once() { return {Decision::kAllowOnce, GrantScope::kExact, {}, 0, false, kHuman}; }
inline Answer deny() { return {Decision::kDeny, GrantScope::kExact, {}, 0, false, kHuman}; }
inline Answer always(GrantScope scope, const std::string& pattern = {}) {
  return {Decision::kAllowAlways, scope, pattern, 0, false, kHuman};
}

struct QuestionsFixture {
  TemporaryDirectory base;
  std::unique_ptr<Store> store = open_store(base.path());
  Questions questions{*store};

  std::string ask(const NewQuestion& question, std::int64_t now = 1000) {
    return must(questions.ask(question, now)).question.id;
  }
  bool covered(const GrantRequest& request, std::int64_t now = 2000) {
    return !must(questions.covering(request, now)).empty();
  }
  std::vector<std::string> kinds() {
    std::vector<std::string> kinds;
    for (const AuditRow& row : must(AuditChain(*store).rows({0, 0, {}, 100, false})))
      kinds.push_back(row.kind);
    return kinds;
  }
};

}  // namespace hostclaw::approvals::testing
