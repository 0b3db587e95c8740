// SPDX-License-Identifier: Apache-2.0
// hostclaw approvals pending | show | resolve: the questions that this node asks itself.
#include <chrono>
#include <iostream>
#include <map>
#include <thread>

#include "approvals/questions/questions.h"
#include "approvals/store/settings.h"
#include "base/clock.h"
#include "cli/question_text.h"
#include "cli/times.h"
#include "cli/verb_approvals.h"

namespace hostclaw::cli {
namespace {

using approvals::Answer;
using approvals::Question;
using approvals::Questions;

struct QuestionFlags {
  bool json = false;
  bool watch = false;
  bool full = false;
  std::string id;
  std::string decision;
  std::string scope;
  std::string arg_pattern;
  std::string expires;
  bool session = false;
};

// A reader notices another process's commit by looking at a counter; nobody waits for it to look.
constexpr std::chrono::milliseconds kLookForQuestionsEvery{200};

void print_question(Questions& questions, const Question& question, std::int64_t now_ms) {
  for (const std::string& line : question_lines(question, short_question_id(questions, question.id), now_ms))
    print_line(line);
}

void note_no_questions(approvals::AskVia via) {
  note("no open question");
  if (via == approvals::AskVia::kGateway) {
    note(
        "note: this node lets the gateway ask (openclaw approvals pending); to ask here as well:\n"
        "next: hostclaw exec-policy set --ask-via both");
  }
}

// One line of JSON, or a few lines of text, per question that comes or goes.
int watch_questions(approvals::Store& store, const QuestionFlags& flags) {
  Questions questions(store);
  std::map<std::string, Question> open;
  for (;;) {
    const std::int64_t now = unix_ms_now();
    const auto pending = questions.pending(now);
    if (!pending) return fail(pending.error(), flags.json);
    std::map<std::string, Question> still;
    for (const Question& question : *pending) {
      still.emplace(question.id, question);
      if (open.contains(question.id)) continue;
      if (flags.json) {
        print_json(
            Json{{"event", "asked"},
                 {"question", question_json(question, short_question_id(questions, question.id), now)}});
      } else {
        print_question(questions, question, now);
      }
    }
    for (const auto& [id, before] : open) {
      if (still.contains(id)) continue;
      const auto closed = questions.find(id);
      if (flags.json) {
        print_json(Json{
            {"event", "closed"},
            {"question", question_json(closed ? *closed : before, short_question_id(questions, id), now)}});
      } else {
        print_line(short_question_id(questions, id) + "  " +
                   (closed && closed->state != approvals::QuestionState::kPending ? closed_text(*closed)
                                                                                  : "expired"));
      }
    }
    open = std::move(still);
    std::cout.flush();
    if (!std::cout) return kDone;  // nobody reads any more
    std::this_thread::sleep_for(kLookForQuestionsEvery);
  }
}

int pending(const QuestionFlags& flags) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store && (store.error().code != "STORE_NOT_FOUND" || flags.watch))
    return fail(store.error(), flags.json);
  if (flags.watch) return watch_questions(**store, flags);
  std::vector<Question> open;
  approvals::AskVia via = approvals::AskVia::kGateway;
  Json list = Json::array();
  if (store) {
    Questions questions(**store);
    via = approvals::read_exec_settings(**store).settings.ask_via;
    const std::int64_t now = unix_ms_now();
    auto found = questions.pending(now);
    if (!found) return fail(found.error(), flags.json);
    open = std::move(*found);
    for (const Question& question : open) {
      if (flags.json) {
        list.push_back(question_json(question, short_question_id(questions, question.id), now));
      } else {
        print_question(questions, question, now);
      }
    }
  }
  if (flags.json) {
    print_json(Json{{"askVia", to_string(via)}, {"questions", std::move(list)}});
  } else if (open.empty()) {
    note_no_questions(via);
  }
  return kDone;
}

int show_question(const QuestionFlags& flags) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return fail(store.error(), flags.json);
  Questions questions(**store);
  auto question = questions.find(flags.id);
  if (!question) {
    Error error = question.error();
    error.next = "hostclaw approvals pending";
    return fail(error, flags.json);
  }
  const std::int64_t now = unix_ms_now();
  if (flags.json) {
    Json body = question_json(*question, short_question_id(questions, question->id), now);
    if (flags.full) body["fullCommand"] = question->asked.command_text;
    print_json(body);
    return kDone;
  }
  print_line("id        " + question->id);
  for (const LabelledText& item : question_details(*question, now)) {
    std::string label = item.label;
    if (label.size() < 9) label.append(9 - label.size(), ' ');
    print_line(label + " " + item.text);
  }
  if (flags.full) print_line("full      " + for_terminal(question->asked.command_text));
  return kDone;
}

Result<Answer> answer_from(const QuestionFlags& flags, std::int64_t now_ms) {
  Answer answer;
  answer.by = local_actor();
  if (flags.decision != "allow-always") {
    answer.decision = flags.decision == "allow-once" ? Answer::Decision::kAllowOnce : Answer::Decision::kDeny;
    if (!flags.scope.empty() || !flags.arg_pattern.empty() || !flags.expires.empty() || flags.session) {
      return make_error("CONFIG_INVALID",
                        "--scope, --arg-pattern, --expires and --session belong to allow-always: " +
                            flags.decision + " leaves nothing lasting",
                        "hostclaw approvals resolve " + flags.id + " " + flags.decision);
    }
    return answer;
  }
  answer.decision = Answer::Decision::kAllowAlways;
  std::string scope = flags.scope;
  if (scope.empty()) scope = flags.arg_pattern.empty() ? "exact" : "arguments";
  if (scope != "arguments" && !flags.arg_pattern.empty()) {
    return make_error("CONFIG_INVALID", "--arg-pattern belongs to --scope arguments",
                      "hostclaw approvals resolve --help");
  }
  answer.scope = approvals::grant_scope_from(scope).value_or(approvals::GrantScope::kExact);
  answer.arg_pattern = flags.arg_pattern;
  answer.this_session_only = flags.session;
  if (!flags.expires.empty()) {
    auto until = parse_until(flags.expires, "--expires", now_ms);
    if (!until) return until.error();
    answer.until_ms = *until;
  }
  return answer;
}

int resolve(const QuestionFlags& flags) {
  const std::int64_t now = unix_ms_now();
  auto answer = answer_from(flags, now);
  if (!answer) {
    fail(answer.error(), flags.json);
    return kUsage;
  }
  auto store = open_store(approvals::OpenMode::kReadWriteExisting);
  if (!store) return fail(store.error(), flags.json);
  auto outcome = give_answer(**store, flags.id, *answer, now);
  if (!outcome) return fail(outcome.error(), flags.json);
  if (flags.json) {
    Json grants = Json::array();
    for (const approvals::Grant& grant : outcome->grants) grants.push_back(grant_json(grant, now));
    print_json(Json{{"ok", true},
                    {"id", outcome->question.id},
                    {"decision", outcome->question.decision},
                    {"asked", flags.decision},
                    {"late", outcome->question.late},
                    {"nothingLastingBecause", outcome->nothing_lasting},
                    {"grants", std::move(grants)}});
    return kDone;
  }
  for (const std::string& line : outcome_lines(*outcome, now)) print_line(line);
  return kDone;
}

}  // namespace

void add_approvals_questions(CLI::App& approvals, Action& action) {
  const auto flags = std::make_shared<QuestionFlags>();
  CLI::App* pending_verb =
      approvals.add_subcommand("pending", "The open questions of this node, and how to answer them");
  pending_verb->add_flag("--watch", flags->watch, "Go on with what is asked and answered from now on");
  pending_verb->add_flag("--json", flags->json, "Print JSON; with --watch one object a line");
  pending_verb->callback([&action, flags] { action = [flags] { return pending(*flags); }; });

  CLI::App* show_verb = approvals.add_subcommand("show", "One question with everything that is known");
  show_verb->add_option("id", flags->id, "Id of a question, or its beginning")->required();
  show_verb->add_flag("--full", flags->full, "Also the whole command text, with its secrets");
  show_verb->add_flag("--json", flags->json, "Print JSON");
  show_verb->callback([&action, flags] { action = [flags] { return show_question(*flags); }; });

  CLI::App* resolve_verb = approvals.add_subcommand("resolve", "Answer a question");
  resolve_verb->add_option("id", flags->id, "Id of the question, or its beginning")->required();
  resolve_verb->add_option("decision", flags->decision, "allow-once, allow-always or deny")
      ->required()
      ->check(CLI::IsMember({"allow-once", "allow-always", "deny"}));
  resolve_verb
      ->add_option("--scope", flags->scope,
                   "Of allow-always. exact: these arguments in this directory (the default); arguments:\n"
                   "what --arg-pattern describes; executable: any arguments")
      ->check(CLI::IsMember({"exact", "arguments", "executable"}));
  resolve_verb->add_option("--arg-pattern", flags->arg_pattern,
                           "Regular expression that describes all arguments, for example 'push origin .*'");
  resolve_verb->add_option("--expires", flags->expires,
                           "When the grant ends: 2h, 7d or a time such as 2027-01-31T18:00");
  resolve_verb->add_flag("--session", flags->session, "Only in the session that asked");
  resolve_verb->add_flag("--json", flags->json, "Print JSON");
  resolve_verb->callback([&action, flags] { action = [flags] { return resolve(*flags); }; });
}

}  // namespace hostclaw::cli
