// SPDX-License-Identifier: Apache-2.0
#include "cli/question_text.h"

#include <algorithm>

#include "approvals/shown/secret_masking.h"
#include "approvals/shown/shown_text.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/times.h"

namespace hostclaw::cli {
namespace {

using approvals::Answer;
using approvals::Grant;
using approvals::GrantScope;
using approvals::Question;
using approvals::Questions;
using approvals::QuestionState;

// Lengths at which a prefix of a UUID is cut: its groups.
constexpr std::size_t kPrefixLengths[] = {8, 13, 18, 23, 36};
// The member of the details that is told with each file.
constexpr const char* kFiles = "files";

std::string clock_text(std::int64_t ms) { return format_time(ms).substr(11); }

std::string agent_text(const std::string& id) { return id.empty() ? "(none named)" : for_terminal(id); }

std::string masked_words(const std::vector<std::string>& words) {
  return approvals::shown_command(approvals::mask_secrets(words).argv);
}

// One item of a list in one line: the values of an object, joined.
std::string item_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object()) return dump_json(value);
  std::string text;
  for (const auto& [name, inner] : value.items()) text += (text.empty() ? "" : ": ") + item_text(inner);
  return text;
}

// What the question says about a file, as the node looked it up when it asked; null when it says nothing.
Json asked_file(const Question& question, const std::string& path) {
  const Json& details = question.asked.details;
  const auto files = details.is_object() ? details.find(kFiles) : details.end();
  if (files == details.end() || !files->is_array()) return {};
  for (const Json& file : *files) {
    if (file.is_object() && file.value("path", Json()) == Json(path)) return file;
  }
  return {};
}

// The file that would run, whose it is and who could make it another one.
std::string file_text(const Question& question, const std::string& path) {
  if (path.empty()) return "(not resolved)";
  std::string text = for_terminal(path);
  const Json file = asked_file(question, path);
  if (!file.is_object() || !file.contains("owner")) return text + "  (who can write it is not known)";
  std::vector<std::string> writers;
  if (const auto found = file.find("writers"); found != file.end() && found->is_array()) {
    for (const Json& writer : *found) writers.push_back(for_terminal(item_text(writer)));
  }
  const bool careful = file.value("othersCanChange", Json()) != Json(false);
  text +=
      std::string("  (") + (careful ? "CAREFUL: " : "") + "owner " + for_terminal(item_text(file["owner"]));
  if (writers.empty()) {
    text += "; only root can write it";
  } else {
    text += "; can be written by " + join(writers, ", ");
  }
  if (careful) text += "; others can change it or put another file in its place";
  return text + ")";
}

std::string waiting_text(const Question& question, std::int64_t now_ms) {
  const std::int64_t deadline = question.asked.deadline_ms;
  std::string text =
      "asked " + duration_text(now_ms - question.asked_at_ms) + " ago, " +
      (deadline > now_ms ? duration_text(deadline - now_ms) + " left (until " + clock_text(deadline) + ")"
                         : "over since " + format_time(deadline));
  if (question.asked_count > 1) text += ", asked " + std::to_string(question.asked_count) + " times";
  return text;
}

std::string caller_text(const Question& question, std::int64_t now_ms) {
  if (caller_waits(question, now_ms)) return "waits for the answer";
  return "has gone; an allow-once serves the identical retry, once, for " +
         duration_text(approvals::QuestionOptions{}.once_valid_ms);
}

// What carries the content that was bound is a script or any other file.
std::string label_text(const std::string& name) {
  if (name == "script") return "file";
  return name == "scriptSha256" ? "file sha256" : name;
}

void flatten(const std::string& label, const Json& value, std::vector<LabelledText>& out) {
  if (value.is_object()) {
    for (const auto& [name, inner] : value.items())
      flatten(label.empty() ? label_text(name) : label + " " + name, inner, out);
  } else if (value.is_array()) {
    for (const Json& inner : value) out.push_back({label, item_text(inner)});
  } else if (!value.is_null()) {
    out.push_back({label, item_text(value)});
  }
}

Error with_next(Error error, std::string next) {
  if (error.next.empty()) error.next = std::move(next);
  return error;
}

}  // namespace

std::string short_question_id(Questions& questions, const std::string& id) {
  for (const std::size_t length : kPrefixLengths) {
    if (length >= id.size()) break;
    std::string prefix = id.substr(0, length);
    if (questions.find(prefix)) return prefix;
  }
  return id;
}

std::string short_id(const std::string& id, const std::vector<std::string>& all) {
  for (const std::size_t length : kPrefixLengths) {
    if (length >= id.size()) break;
    const std::string prefix = id.substr(0, length);
    if (std::count_if(all.begin(), all.end(), [&](const auto& other) { return other.starts_with(prefix); }) <=
        1)
      return prefix;
  }
  return id;
}

bool caller_waits(const Question& question, std::int64_t now_ms) {
  return question.state == QuestionState::kPending && question.caller_waits &&
         now_ms < question.asked.caller_deadline_ms;
}

Json question_json(const Question& question, const std::string& short_id, std::int64_t now_ms) {
  const approvals::NewQuestion& asked = question.asked;
  Json programs = Json::array();
  for (const approvals::AskedCommand& command : asked.commands) {
    programs.push_back({{"path", command.executable}, {"argv", approvals::mask_secrets(command.argv).argv}});
  }
  Json answer;
  if (!question.decision.empty()) {
    answer = {{"decision", question.decision},   {"door", question.answered_by.door},
              {"who", question.answered_by.who}, {"atMs", question.answered_at_ms},
              {"late", question.late},           {"grants", question.grant_ids}};
  }
  return {{"id", question.id},
          {"shortId", short_id},
          {"state", to_string(question.state)},
          {"agentId", asked.agent_id},
          {"sessionKey", asked.session_key},
          {"runId", asked.run_id},
          {"command", asked.shown_text},
          {"cwd", asked.cwd},
          {"programs", std::move(programs)},
          {"askedAtMs", question.asked_at_ms},
          {"askedCount", question.asked_count},
          {"deadlineMs", asked.deadline_ms},
          {"callerDeadlineMs", asked.caller_deadline_ms},
          {"callerWaits", caller_waits(question, now_ms)},
          {"lastingRefused", asked.lasting_refused},
          {"details", asked.details},
          {"answer", std::move(answer)}};
}

std::vector<std::string> question_lines(const Question& question, const std::string& short_id,
                                        std::int64_t now_ms) {
  const approvals::NewQuestion& asked = question.asked;
  std::vector<std::string> lines = {
      short_id + "  agent " + agent_text(asked.agent_id) + "  " + waiting_text(question, now_ms),
      "  runs    " + for_terminal(asked.shown_text), "  in      " + for_terminal(asked.cwd)};
  for (const approvals::AskedCommand& command : asked.commands)
    lines.push_back("  file    " + file_text(question, command.executable));
  lines.push_back("  caller  " + caller_text(question, now_ms));
  if (!asked.lasting_refused.empty())
    lines.push_back("  only    allow-once or deny: " + for_terminal(asked.lasting_refused));
  if (question.state == QuestionState::kPending) {
    lines.push_back("  answer  hostclaw approvals resolve " + short_id + " allow-once|" +
                    (asked.lasting_refused.empty() ? "allow-always|" : "") + "deny");
  }
  return lines;
}

std::vector<LabelledText> question_details(const Question& question, std::int64_t now_ms) {
  const approvals::NewQuestion& asked = question.asked;
  std::vector<LabelledText> out = {{"runs", for_terminal(asked.shown_text)},
                                   {"in", for_terminal(asked.cwd)},
                                   {"agent", agent_text(asked.agent_id)}};
  if (!asked.session_key.empty()) out.push_back({"session", for_terminal(asked.session_key)});
  for (const approvals::AskedCommand& command : asked.commands) {
    out.push_back({"file", file_text(question, command.executable)});
    if (asked.commands.size() > 1) out.push_back({"", masked_words(command.argv)});
  }
  std::vector<LabelledText> more;
  Json details = asked.details;
  if (details.is_object()) details.erase(kFiles);
  flatten({}, details, more);
  for (LabelledText& item : more) out.push_back({for_terminal(item.label), for_terminal(item.text)});
  out.push_back({"time", waiting_text(question, now_ms)});
  if (question.state == QuestionState::kPending) {
    out.push_back({"caller", caller_text(question, now_ms)});
    if (!asked.lasting_refused.empty())
      out.push_back({"only", "once or deny: " + for_terminal(asked.lasting_refused)});
  } else {
    out.push_back({"state", closed_text(question)});
  }
  return out;
}

std::vector<std::string> asked_arguments(const Question& question) {
  std::vector<std::string> out;
  for (const approvals::AskedCommand& command : question.asked.commands) {
    std::vector<std::string> words = approvals::mask_secrets(command.argv).argv;
    if (!words.empty()) words.erase(words.begin());
    out.push_back(approvals::shown_command(words));
  }
  return out;
}

std::string closed_text(const Question& question) {
  std::string text(to_string(question.state));
  if (question.decision.empty()) return text;
  text += ", " + question.decision + " by " + for_terminal(question.answered_by.who) + " (" +
          for_terminal(question.answered_by.door) + "), " + format_time(question.answered_at_ms);
  if (question.late) text += ", after the caller had gone";
  return text;
}

bool grant_in_force(const Grant& grant, std::int64_t now_ms) {
  return grant.revoked_at_ms == 0 && (grant.expires_at_ms == 0 || now_ms < grant.expires_at_ms) &&
         (!grant.uses_left || *grant.uses_left > 0);
}

Json grant_json(const Grant& grant, std::int64_t now_ms) {
  std::vector<std::string> argv = grant.arguments;
  argv.insert(argv.begin(), grant.executable);  // masking looks at the program, too
  argv = approvals::mask_secrets(argv).argv;
  argv.erase(argv.begin());
  return {{"id", grant.id},
          {"scope", to_string(grant.scope)},
          {"agentId", grant.agent_id},
          {"sessionKey", grant.session_key},
          {"executable", grant.executable},
          {"arguments", argv},
          {"argPattern", grant.arg_pattern},
          {"cwd", grant.cwd},
          {"command", grant.shown_text},
          {"questionId", grant.question_id},
          {"createdAtMs", grant.created_at_ms},
          {"createdBy", {{"door", grant.created_by.door}, {"who", grant.created_by.who}}},
          {"expiresAtMs", grant.expires_at_ms},
          {"usesLeft", grant.uses_left ? Json(*grant.uses_left) : Json()},
          {"useCount", grant.use_count},
          {"lastUsedAtMs", grant.last_used_at_ms},
          {"revokedAtMs", grant.revoked_at_ms},
          {"inForce", grant_in_force(grant, now_ms)}};
}

std::string grant_opens(const Grant& grant) {
  std::string text;
  switch (grant.scope) {
    case GrantScope::kPlan:
      return "this very call, once: " + for_terminal(grant.shown_text);
    case GrantScope::kExact: {
      std::vector<std::string> argv = grant.arguments;
      argv.insert(argv.begin(), grant.executable);
      text = "exactly " + masked_words(argv) + "  in " + for_terminal(grant.cwd);
      break;
    }
    case GrantScope::kArguments:
      text = for_terminal(grant.executable) + " with arguments that match " + for_terminal(grant.arg_pattern);
      break;
    case GrantScope::kExecutable:
      text = for_terminal(grant.executable) + " with any arguments";
      break;
  }
  if (!grant.session_key.empty()) text += ", in session " + for_terminal(grant.session_key);
  return text;
}

std::string grant_ends(const Grant& grant) {
  if (grant.revoked_at_ms != 0) return "revoked " + format_time(grant.revoked_at_ms);
  if (grant.uses_left && *grant.uses_left <= 0) return "used up";
  return grant.expires_at_ms == 0 ? "until revoked" : "until " + format_time(grant.expires_at_ms);
}

Result<AnswerOutcome> give_answer(approvals::Store& store, const std::string& id_or_prefix,
                                  const Answer& wanted, std::int64_t now_ms) {
  Questions questions(store);
  Result<Question> question = questions.find(id_or_prefix);
  if (!question) return with_next(question.error(), "hostclaw approvals pending");
  AnswerOutcome outcome;
  Answer answer = wanted;
  if (answer.decision == Answer::Decision::kAllowAlways && !question->asked.lasting_refused.empty()) {
    outcome.nothing_lasting = question->asked.lasting_refused;
    answer.decision = Answer::Decision::kAllowOnce;
  }
  Result<Question> answered = questions.answer(question->id, answer, now_ms);
  if (!answered) {
    Error error = answered.error();
    if (error.code == "GRANT_REFUSED") {
      return with_next(std::move(error), "hostclaw approvals resolve " +
                                             short_question_id(questions, question->id) +
                                             " allow-once, or another --scope or --arg-pattern");
    }
    if (error.code == "QUESTION_CLOSED") {
      if (const auto closed = questions.find(question->id); closed && !closed->decision.empty())
        error.message += " (" + closed_text(*closed) + ")";
      return with_next(std::move(error),
                       "hostclaw approvals show " + short_question_id(questions, question->id));
    }
    return error;
  }
  outcome.question = std::move(*answered);
  if (outcome.question.grant_ids.empty()) return outcome;
  auto grants = questions.grants({outcome.question.asked.agent_id, false}, now_ms);
  if (!grants) return grants.error();
  for (Grant& grant : *grants) {
    const auto& ids = outcome.question.grant_ids;
    if (std::find(ids.begin(), ids.end(), grant.id) != ids.end()) outcome.grants.push_back(std::move(grant));
  }
  return outcome;
}

std::vector<std::string> outcome_lines(const AnswerOutcome& outcome, std::int64_t /*now_ms*/) {
  const Question& question = outcome.question;
  std::vector<std::string> lines;
  if (question.decision == "deny") {
    lines.push_back(question.late ? "denied; the caller had gone already, and a retry asks again"
                                  : "denied; nothing lasting was stored: the same command asks again");
    return lines;
  }
  if (question.decision == "allow-once") {
    std::string line = "allowed once";
    if (question.late) {
      line += ", late: the caller has gone; the identical call runs once if it comes again";
      if (!outcome.grants.empty()) line += " before " + clock_text(outcome.grants.front().expires_at_ms);
    }
    line += outcome.nothing_lasting.empty()
                ? "; nothing lasting was stored"
                : "; nothing lasting because " + for_terminal(outcome.nothing_lasting);
    lines.push_back(line);
    return lines;
  }
  lines.push_back(question.late ? "allowed, late: the caller has gone; its next call runs without a question"
                                : "allowed, and stored:");
  for (const Grant& grant : outcome.grants) {
    lines.push_back("  grant " + grant.id.substr(0, 8) + "  agent " + agent_text(grant.agent_id) + "  " +
                    grant_opens(grant) + ", " + grant_ends(grant));
  }
  if (!outcome.grants.empty())
    lines.push_back("  take it back: hostclaw approvals grants revoke " +
                    outcome.grants.front().id.substr(0, 8));
  return lines;
}

}  // namespace hostclaw::cli
