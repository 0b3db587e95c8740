// SPDX-License-Identifier: Apache-2.0
// Questions and grants as people and programs read them.
#pragma once

#include <string>
#include <vector>

#include "approvals/questions/questions.h"
#include "base/json.h"

namespace hostclaw::cli {

// The shortest beginning of an id (eight characters or more) that still names only one question or grant.
std::string short_question_id(approvals::Questions& questions, const std::string& id);
std::string short_id(const std::string& id, const std::vector<std::string>& all);

// {id, shortId, state, agentId, sessionKey, runId, command, cwd, programs: [{path, argv}], askedAtMs,
// askedCount, deadlineMs, callerDeadlineMs, callerWaits, lastingRefused, details, answer: null | {decision,
// door, who, atMs, late, grants: [ids]}}. Secrets are masked.
Json question_json(const approvals::Question& question, const std::string& short_id, std::int64_t now_ms);

// Whether somebody still waits for the answer.
bool caller_waits(const approvals::Question& question, std::int64_t now_ms);

// A question in a few lines; what to type comes last.
std::vector<std::string> question_lines(const approvals::Question& question, const std::string& short_id,
                                        std::int64_t now_ms);
// Everything that helps to decide: also who can write the files, risks and reasons. Pairs of label and text.
struct LabelledText {
  std::string label;
  std::string text;
};
std::vector<LabelledText> question_details(const approvals::Question& question, std::int64_t now_ms);
// The arguments of each program, without its name, secrets masked: what an argument pattern has to describe.
std::vector<std::string> asked_arguments(const approvals::Question& question);
// "allowed, allow-once by uid 1000 (ann), 2027-01-31 18:00:00"
std::string closed_text(const approvals::Question& question);

// {id, scope, agentId, sessionKey, executable, arguments, argPattern, cwd, command, questionId, createdAtMs,
// createdBy: {door, who}, expiresAtMs, usesLeft, useCount, lastUsedAtMs, revokedAtMs, inForce}; 0 is never,
// usesLeft null unlimited.
Json grant_json(const approvals::Grant& grant, std::int64_t now_ms);
bool grant_in_force(const approvals::Grant& grant, std::int64_t now_ms);
// What a grant opens, in one line: "/usr/bin/git, arguments exactly: push origin, in /srv/project".
std::string grant_opens(const approvals::Grant& grant);
std::string grant_ends(const approvals::Grant& grant);  // "until revoked", "until 2027-01-31 18:00:00", ...

// What an answer left behind.
struct AnswerOutcome {
  approvals::Question question;
  std::vector<approvals::Grant> grants;
  std::string nothing_lasting;  // why allow-always became allow-once; empty: it did not
};

// Answers. allow-always of a question that cannot leave anything lasting is given as allow-once. Errors as
// Questions::answer, each with the command to type next.
Result<AnswerOutcome> give_answer(approvals::Store& store, const std::string& id_or_prefix,
                                  const approvals::Answer& answer, std::int64_t now_ms);
std::vector<std::string> outcome_lines(const AnswerOutcome& outcome, std::int64_t now_ms);

}  // namespace hostclaw::cli
