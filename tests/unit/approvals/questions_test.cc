// SPDX-License-Identifier: Apache-2.0
#include "approvals/questions/questions.h"

#include "approvals/audit/audit_chain.h"
#include "approvals/database/sqlite.h"
#include "questions_fixture.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

TEST_CASE("a question is stored as it was asked", "[questions]") {
  QuestionsFixture f;
  const std::string id = f.ask(git_question());
  auto reader = open_store(f.base.path(), OpenMode::kReadOnly);
  Questions elsewhere(*reader);
  const auto pending = must(elsewhere.pending(1001));
  REQUIRE(pending.size() == 1);
  const Question& question = pending[0];
  CHECK(question.id == id);
  CHECK(question.state == QuestionState::kPending);
  CHECK(question.asked.agent_id == "main");
  CHECK(question.asked.session_key == "agent:main:main");
  CHECK(question.asked.run_id == "run-1");
  CHECK(question.asked.invoke_id == "invoke-1");
  CHECK(question.asked.shown_text == "git push");
  REQUIRE(question.asked.commands.size() == 1);
  CHECK(question.asked.commands[0].executable == "/usr/bin/git");
  CHECK(question.asked.commands[0].argv == std::vector<std::string>{"git", "push"});
  CHECK(question.asked.cwd == "/srv/project");
  CHECK(dump_json(question.asked.details) == R"({"risk":"writes to a remote"})");
  CHECK(question.asked.lasting_refused.empty());
  CHECK(question.asked.deadline_ms == 10'000);
  CHECK(question.asked.caller_deadline_ms == 5'000);
  CHECK(question.asked_at_ms == 1000);
}

TEST_CASE("a repeated identical question is one question", "[questions]") {
  QuestionsFixture f;
  const std::string id = f.ask(git_question());
  must(f.questions.caller_left(id));
  NewQuestion again = git_question();
  again.caller_deadline_ms = 7'000;
  const auto asked = must(f.questions.ask(again, 1500));
  CHECK(asked.repeated);
  CHECK(asked.question.id == id);
  CHECK(asked.question.asked_count == 2);
  CHECK(asked.question.caller_waits);
  CHECK(must(f.questions.find(id)).asked.caller_deadline_ms == 7'000);
  CHECK_FALSE(must(f.questions.ask(git_question("key-2"), 1500)).repeated);
  CHECK(must(f.questions.pending(1500)).size() == 2);
}

TEST_CASE("an allow-once runs the identical plan exactly once", "[questions]") {
  QuestionsFixture f;
  const std::string id = f.ask(git_question());
  const Question answered = must(f.questions.answer(id, once(), 2000));
  CHECK(answered.state == QuestionState::kAllowed);
  CHECK(answered.decision == "allow-once");
  CHECK(answered.answered_by.who == "alice");
  CHECK_FALSE(answered.late);
  CHECK_FALSE(f.covered(git_request("key-2")));
  GrantRequest other_agent = git_request();
  other_agent.agent_id = "ops";
  CHECK_FALSE(f.covered(other_agent));
  CHECK(must(f.questions.consume(git_request(), 2001)).size() == 1);
  CHECK(must(f.questions.consume(git_request(), 2002)).empty());
}

TEST_CASE("an answer that comes after the caller has gone says so and serves the retry for a while",
          "[questions]") {
  QuestionsFixture f;
  const std::string id = f.ask(git_question());
  std::int64_t now = 2000;
  SECTION("its deadline passed") { now = 6000; }
  SECTION("it was cancelled") { must(f.questions.caller_left(id)); }
  SECTION("the process died") { CHECK(must(f.questions.all_callers_left()) == 1); }
  CHECK(must(f.questions.answer(id, once(), now)).late);
  CHECK(f.covered(git_request(), now + 1000));
  CHECK_FALSE(f.covered(git_request(), now + 31 * 60 * 1000));
}

TEST_CASE("a refusal leaves no grant", "[questions]") {
  QuestionsFixture f;
  const std::string id = f.ask(git_question());
  CHECK(must(f.questions.answer(id, deny(), 2000)).state == QuestionState::kDenied);
  CHECK_FALSE(f.covered(git_request()));
}

TEST_CASE("the first answer counts", "[questions]") {
  QuestionsFixture f;
  const std::string id = f.ask(git_question());
  must(f.questions.answer(id, deny(), 2000));
  const auto second = f.questions.answer(id, once(), 2001);
  REQUIRE(second.has_error());
  CHECK(second.error().code == "QUESTION_CLOSED");
  CHECK(second.error().message.find("denied") != std::string::npos);
  CHECK_FALSE(f.covered(git_request()));
}

TEST_CASE("a question past its deadline is closed and cannot be answered", "[questions]") {
  QuestionsFixture f;
  const std::string id = f.ask(git_question());
  CHECK(must(f.questions.pending(10'000)).empty());
  CHECK(code_of(f.questions.answer(id, once(), 10'000)) == "QUESTION_CLOSED");
  const auto expired = must(f.questions.expire(10'000));
  REQUIRE(expired.size() == 1);
  CHECK(expired[0].id == id);
  CHECK(must(f.questions.expire(10'001)).empty());
  CHECK(must(f.questions.find(id)).state == QuestionState::kExpired);
  CHECK_FALSE(must(f.questions.ask(git_question(), 10'002)).repeated);
}

TEST_CASE("an overdue question that nobody closed yet does not swallow a new one", "[questions]") {
  QuestionsFixture f;
  const std::string id = f.ask(git_question());
  NewQuestion later = git_question();
  later.deadline_ms = 30'000;
  const auto asked = must(f.questions.ask(later, 20'000));
  CHECK_FALSE(asked.repeated);
  CHECK(asked.question.id != id);
}

TEST_CASE("a withdrawn question is over", "[questions]") {
  QuestionsFixture f;
  const std::string id = f.ask(git_question());
  CHECK(must(f.questions.withdraw(id, 1500)).state == QuestionState::kWithdrawn);
  CHECK(code_of(f.questions.answer(id, once(), 2000)) == "QUESTION_CLOSED");
  CHECK(code_of(f.questions.withdraw(id, 2000)) == "QUESTION_CLOSED");
}

TEST_CASE("questions are found by a prefix that only one has", "[questions]") {
  QuestionsFixture f;
  const std::string id = f.ask(git_question());
  CHECK(must(f.questions.find(id.substr(0, 8))).id == id);
  CHECK(code_of(f.questions.find("")) == "QUESTION_NOT_FOUND");
  CHECK(code_of(f.questions.find("nothing")) == "QUESTION_NOT_FOUND");
  for (int i = 0; i < 20; ++i) f.ask(git_question("other-" + std::to_string(i)));
  // 21 ids and 16 first digits: at least two ids begin alike.
  bool ambiguous = false;
  for (const char digit : std::string("0123456789abcdef")) {
    ambiguous = ambiguous || code_of(f.questions.find(std::string(1, digit))) == "QUESTION_AMBIGUOUS";
  }
  CHECK(ambiguous);
}

TEST_CASE("a flood of questions is refused", "[questions]") {
  QuestionsFixture f;
  Questions few(*f.store, {3, 1000});
  for (int i = 0; i < 3; ++i) must(few.ask(git_question("key-" + std::to_string(i)), 1000));
  CHECK(code_of(few.ask(git_question("one-more"), 1000)) == "QUESTION_TOO_MANY");
  // One that nobody waits for yields.
  const std::string left = must(few.ask(git_question("key-2"), 1000)).question.id;
  must(few.caller_left(left));
  must(few.ask(git_question("one-more"), 1000));
  CHECK(must(few.find(left)).state == QuestionState::kWithdrawn);
  CHECK(must(few.pending(1000)).size() == 3);
  CHECK(code_of(few.ask(git_question("and-another"), 1000)) == "QUESTION_TOO_MANY");
  CHECK(must(few.ask(git_question("key-1"), 1000)).repeated);
  CHECK_FALSE(must(few.ask(git_question("one-more"), 10'000)).repeated);
}

TEST_CASE("an exact grant covers these arguments in this directory and no others", "[grants]") {
  QuestionsFixture f;
  must(f.questions.answer(f.ask(git_question()), always(GrantScope::kExact), 2000));
  GrantRequest request = git_request("another key");
  CHECK(f.covered(request));
  CHECK(must(f.questions.consume(request, 2500)).size() == 1);
  CHECK(must(f.questions.consume(request, 2600))[0].use_count == 2);
  SECTION("another argument") { request.commands[0].argv.push_back("--force"); }
  SECTION("a missing argument") { request.commands[0].argv.pop_back(); }
  SECTION("an empty argument") { request.commands[0].argv.emplace_back(); }
  SECTION("another directory") { request.cwd = "/srv"; }
  SECTION("another file of that name") { request.commands[0].executable = "/home/mallory/git"; }
  SECTION("another agent") { request.agent_id = "ops"; }
  SECTION("no agent") { request.agent_id = ""; }
  SECTION("one more program") { request.commands.push_back({"/usr/bin/rm", {"rm", "x"}}); }
  SECTION("no program") { request.commands.clear(); }
  CHECK_FALSE(f.covered(request));
}

TEST_CASE("a grant for an argument pattern covers what the pattern describes", "[grants]") {
  QuestionsFixture f;
  const std::string id = f.ask(git_question());
  CHECK(code_of(f.questions.answer(id, always(GrantScope::kArguments), 2000)) == "GRANT_REFUSED");
  CHECK(code_of(f.questions.answer(id, always(GrantScope::kArguments, "^(status)$"), 2000)) ==
        "GRANT_REFUSED");
  CHECK(code_of(f.questions.answer(id, always(GrantScope::kArguments, "^(push"), 2000)) == "GRANT_REFUSED");
  must(f.questions.answer(id, always(GrantScope::kArguments, "^(push|pull)$"), 2000));
  GrantRequest request = git_request("x");
  request.cwd = "/elsewhere";
  CHECK(f.covered(request));
  request.commands[0].argv = {"git", "pull"};
  CHECK(f.covered(request));
  request.commands[0].argv = {"git", "pull", "--force"};
  CHECK_FALSE(f.covered(request));
}

TEST_CASE("a grant for an executable covers all arguments but those that carry code", "[grants]") {
  QuestionsFixture f;
  must(f.questions.answer(f.ask(git_question()), always(GrantScope::kExecutable), 2000));
  GrantRequest request = git_request("x");
  request.commands[0].argv = {"git", "log", "--oneline"};
  CHECK(f.covered(request));
  request.commands[0].argv = {"git", "-c", "core.pager=touch x", "log"};
  CHECK_FALSE(f.covered(request));
  request.commands[0] = {"/usr/bin/gitk", {"git"}};
  CHECK_FALSE(f.covered(request));
}

TEST_CASE("a shell, an interpreter or a wrapper is never granted for good", "[grants]") {
  QuestionsFixture f;
  const auto [executable, argv0] = GENERATE(table<std::string, std::string>({
      {"/usr/bin/bash", "bash"},
      {"/usr/bin/dash", "sh"},
      {"/usr/bin/python3.11", "python3"},
      {"/usr/bin/perl", "perl"},
      {"/usr/bin/env", "env"},
      {"/usr/bin/sudo", "sudo"},
      {"/usr/bin/nice", "nice"},
      {"/usr/bin/busybox", "ls"},
      {"/usr/bin/busybox", "busybox"},
      {"/usr/bin/node", "node"},
      {"/opt/tool", "bash"},
  }));
  NewQuestion question = git_question();
  question.commands = {{"/usr/bin/git", {"git", "status"}}, {executable, {argv0, "-x", "file"}}};
  const std::string id = f.ask(question);
  CAPTURE(executable, argv0);
  CHECK_FALSE(must(f.questions.find(id)).asked.lasting_refused.empty());
  const GrantScope scope = GENERATE(GrantScope::kExact, GrantScope::kExecutable);
  CHECK(code_of(f.questions.answer(id, always(scope), 2000)) == "GRANT_REFUSED");
  CHECK(must(f.questions.find(id)).state == QuestionState::kPending);
  must(f.questions.answer(id, once(), 2000));
}

TEST_CASE("ordinary uses of ordinary programs may be granted for good", "[grants]") {
  using Argv = std::vector<std::string>;
  const Argv argv = GENERATE(Argv{"git", "status"}, Argv{"ls", "-l"}, Argv{"curl", "https://example.org/"},
                             Argv{"docker", "ps"}, Argv{"systemctl", "status"}, Argv{"uname", "-s"});
  CAPTURE(argv);
  CHECK(lasting_grant_refusal({"/usr/bin/" + argv[0], argv}) == "");
}

TEST_CASE("a use that carries other code is not granted for good", "[grants]") {
  using Argv = std::vector<std::string>;
  const Argv argv =
      GENERATE(Argv{"git", "-c", "core.pager=touch x", "log"}, Argv{"find", ".", "-exec", "rm", "{}", ";"},
               Argv{"tar", "xf", "a", "--to-command=sh"});
  CAPTURE(argv);
  CHECK(lasting_grant_refusal({"/usr/bin/" + argv[0], argv}) != "");
}

TEST_CASE("whoever saw the very words may allow them for good, but for what runs anything", "[grants]") {
  CHECK(exact_grant_refusal({"/usr/bin/git", {"git", "-c", "core.pager=touch x", "log"}}) == "");
  CHECK(exact_grant_refusal({"/usr/bin/docker", {"docker", "exec", "web", "id"}}) == "");
  CHECK(exact_grant_refusal({"/usr/bin/find", {"find", ".", "-exec", "rm", "{}", ";"}}) != "");
  CHECK(exact_grant_refusal({"/usr/bin/dash", {"sh", "-c", "id"}}) != "");
}

TEST_CASE("words that carry other code are granted for good as they stand, in their directory, and no wider",
          "[grants]") {
  QuestionsFixture f;
  NewQuestion question = git_question();
  question.commands = {{"/usr/bin/docker", {"docker", "compose", "up", "-d", "web"}}};
  const std::string id = must(f.questions.ask(question, 1000)).question.id;
  for (const GrantScope wide : {GrantScope::kArguments, GrantScope::kExecutable}) {
    Answer answer = always(wide);
    answer.arg_pattern = "^compose .*$";
    CHECK(code_of(f.questions.answer(id, answer, 2000)) == "GRANT_REFUSED");
  }
  must(f.questions.answer(id, always(GrantScope::kExact), 2000));
  const auto covered = [&](std::vector<std::string> argv, const std::string& cwd) {
    GrantRequest request{"another",
                         question.agent_id,
                         question.session_key,
                         cwd,
                         {{"/usr/bin/docker", std::move(argv)}},
                         GrantScope::kExecutable};
    return !must(f.questions.covering(request, 3000)).empty();
  };
  CHECK(covered({"docker", "compose", "up", "-d", "web"}, question.cwd));
  CHECK_FALSE(covered({"docker", "compose", "up", "-d", "db"}, question.cwd));
  CHECK_FALSE(covered({"docker", "compose", "up", "-d", "web"}, "/elsewhere"));
}

TEST_CASE("nothing lasting is granted without an agent, without programs, or against the caller's word",
          "[grants]") {
  QuestionsFixture f;
  NewQuestion question = git_question();
  SECTION("no agent") { question.agent_id = ""; }
  SECTION("no programs") { question.commands.clear(); }
  SECTION("the caller says no") { question.lasting_refused = "the script may change"; }
  SECTION("arguments that are not UTF-8") { question.commands[0].argv.push_back("\xFF"); }
  const std::string id = f.ask(question);
  CHECK(code_of(f.questions.answer(id, always(GrantScope::kExact), 2000)) == "GRANT_REFUSED");
  must(f.questions.answer(id, once(), 2000));
  GrantRequest request = git_request();
  request.agent_id = question.agent_id;
  CHECK(f.covered(request));
}

TEST_CASE("a grant ends at its time", "[grants]") {
  QuestionsFixture f;
  Answer answer = always(GrantScope::kExact);
  answer.until_ms = 1999;
  const std::string id = f.ask(git_question());
  CHECK(code_of(f.questions.answer(id, answer, 2000)) == "GRANT_REFUSED");
  answer.until_ms = 5000;
  must(f.questions.answer(id, answer, 2000));
  CHECK(f.covered(git_request("x"), 4999));
  CHECK_FALSE(f.covered(git_request("x"), 5000));
  CHECK(must(f.questions.grants({}, 4999)).size() == 1);
  CHECK(must(f.questions.grants({}, 5000)).empty());
  CHECK(must(f.questions.grants({"", false}, 5000)).size() == 1);
}

TEST_CASE("a grant for a session ends with it", "[grants]") {
  QuestionsFixture f;
  Answer answer = always(GrantScope::kExact);
  answer.this_session_only = true;
  must(f.questions.answer(f.ask(git_question()), answer, 2000));
  GrantRequest request = git_request("x");
  CHECK(f.covered(request));
  request.session_key = "agent:main:other";
  CHECK_FALSE(f.covered(request));
}

TEST_CASE("a revoked grant covers nothing from the next call on", "[grants]") {
  QuestionsFixture f;
  const Question answered = must(f.questions.answer(f.ask(git_question()), always(GrantScope::kExact), 2000));
  REQUIRE(answered.grant_ids.size() == 1);
  CHECK(f.covered(git_request("x")));
  CHECK(must(f.questions.revoke(answered.grant_ids[0].substr(0, 10), kHuman, 3000)).revoked_at_ms == 3000);
  CHECK_FALSE(f.covered(git_request("x"), 3000));
  CHECK(must(f.questions.consume(git_request("x"), 3000)).empty());
  CHECK(must(f.questions.revoke(answered.grant_ids[0], kHuman, 4000)).revoked_at_ms == 3000);
  CHECK(code_of(f.questions.revoke("nothing", kHuman, 4000)) == "GRANT_NOT_FOUND");
}

TEST_CASE("a pipeline needs a grant for each of its programs", "[grants]") {
  QuestionsFixture f;
  NewQuestion question = git_question();
  question.commands = {{"/usr/bin/git", {"git", "log"}}, {"/usr/bin/wc", {"wc", "-l"}}};
  const Question answered = must(f.questions.answer(f.ask(question), always(GrantScope::kExact), 2000));
  CHECK(answered.grant_ids.size() == 2);
  GrantRequest request = git_request("x");
  request.commands = question.commands;
  CHECK(must(f.questions.consume(request, 2100)).size() == 2);
  must(f.questions.revoke(answered.grant_ids[1], kHuman, 2200));
  CHECK_FALSE(f.covered(request, 2300));
}

TEST_CASE("consuming commits with the run's row or not at all", "[grants]") {
  QuestionsFixture f;
  must(f.questions.answer(f.ask(git_question()), once(), 2000));
  const auto failed = f.store->transaction([&]() -> Result<void> {
    CHECK(must(f.questions.consume(git_request(), 2100)).size() == 1);
    return make_error("WANTED", "the row could not be written");
  });
  CHECK(code_of(failed) == "WANTED");
  CHECK(f.covered(git_request(), 2200));
}

TEST_CASE("every step of a question is in the record", "[questions]") {
  QuestionsFixture f;
  NewQuestion question = git_question();
  question.command_text = "curl -H 'Authorization: SECRET'";
  const std::string id = f.ask(question);
  f.ask(git_question("withdrawn"));
  f.ask(git_question("expired"));
  f.ask(question);  // repeated: no second row
  const Question answered = must(f.questions.answer(id, once(), 2000));
  must(f.questions.revoke(answered.grant_ids[0], kHuman, 2100));
  for (const Question& pending : must(f.questions.pending(2200))) {
    if (pending.asked.key == "withdrawn") must(f.questions.withdraw(pending.id, 2200));
  }
  must(f.questions.expire(20'000));
  CHECK(f.kinds() == std::vector<std::string>{"chain", "question", "question", "question", "grant", "answer",
                                              "grant-revoked", "question-withdrawn", "question-expired"});
  for (const AuditRow& row : must(AuditChain(*f.store).rows({0, 0, {}, 100, false}))) {
    CHECK(row.body.find("SECRET") == std::string::npos);
  }
  CHECK(must(AuditChain(*f.store).verify()).valid);
}

TEST_CASE("questions and used-up grants are forgotten after a while", "[questions]") {
  QuestionsFixture f;
  must(f.questions.answer(f.ask(git_question()), once(), 2000));
  must(f.questions.answer(f.ask(git_question("key-2")), always(GrantScope::kExact), 2000));
  must(f.questions.expire(std::int64_t{100} * 24 * 60 * 60 * 1000));
  CHECK(must(f.questions.recent(10)).empty());
  const auto left = must(f.questions.grants({"", false}, 3000));
  REQUIRE(left.size() == 1);
  CHECK(left[0].scope == GrantScope::kExact);
}

}  // namespace
}  // namespace hostclaw::approvals
